package import Containers
package import Snapshots

import Digests
import Dockerfile
import Layers
import Linux
import OCI
import Synchronization
import SystemPackage

/// A build: one Dockerfile, one context, one image.
package final class Build: Sendable {
    let containers: Containers
    let request: BuildRequest
    let dockerfile: Dockerfile
    /// Of what is made: SOURCE_DATE_EPOCH, or now.
    let created: Int64
    /// Nothing in a layer says that it was modified later; nil where SOURCE_DATE_EPOCH does not say so.
    let epoch: Int64?
    let arguments: BuildArguments
    let graph: StageGraph
    let context: any FileTree
    let cancellation: Cancellation
    private let bring: @Sendable (String) throws -> Void
    private let show: @Sendable (BuildEvent) -> Void
    private let stages: StageResults
    private let steps = Mutex(0)
    private let images = Mutex<[String: ImageRecord]>([:])
    private let known = Mutex<[StepCache]>([])
    private let done = Mutex<[DoneStep]>([])

    var store: Store { containers.store }
    /// `created` in Unix nanoseconds.
    var moment: Int64 { created.multipliedReportingOverflow(by: 1_000_000_000).partialValue }

    /// `bring`: sees to it that the store has an image of that name. `show` is called by several threads.
    package init(
        _ request: BuildRequest,
        in containers: Containers,
        until cancellation: Cancellation,
        bring: @escaping @Sendable (String) throws -> Void,
        show: @escaping @Sendable (BuildEvent) -> Void
    ) throws {
        self.containers = containers
        self.request = request
        self.cancellation = cancellation
        self.bring = bring
        self.show = show
        do {
            dockerfile = try Dockerfile.parse(request.dockerfile, name: request.name)
        } catch { throw error.failure }
        epoch = try Build.epoch(request)
        created = try epoch ?? Timestamp.ofCreation()
        do {
            arguments = try BuildArguments(
                given: request.arguments,
                target: request.platform ?? .host,
                stage: request.target,
                of: dockerfile
            )
            graph = try StageGraph(dockerfile, arguments)
            context = try Build.context(request, containers.store)
        } catch let error as DockerfileError { throw error.failure }
        stages = StageResults(count: dockerfile.stages.count)
    }

    /// Returns the image, which the store has, with its names.
    package func run() throws -> ImageRecord {
        for warning in dockerfile.warnings { show(.warning("\(warning)")) }
        containers.reclaim()
        openCaches()
        defer { for cache in caches { cache.close() } }
        let (target, needed) = try located { () throws(DockerfileError) in
            let target = try graph.target(request.target)
            return (target, try graph.needed(for: target))
        }
        let unused = arguments.unused(in: dockerfile)
        if !unused.isEmpty {
            show(.warning("one or more build arguments are not used: \(unused.joined(separator: ", "))"))
        }
        var draft = try stages.build(target, needed: Set(needed)) { [self] number in
            try StageBuilder(self, dockerfile.stages[number]).run()
        }
        try cancellation.check()
        for (name, value) in request.labels {
            draft.process.labels = (draft.process.labels ?? [:]).merging([name: value]) { $1 }
        }
        let lock = try store.lockForChange()
        let layers = try draft.layers.map { diffID in
            guard let layer = try store.layer(diffID) else {
                throw Failure("layer \(diffID) is not in the store")
            }
            return layer
        }
        let image = try store.add(
            image: NewImage(
                config: draft.json(epoch: epoch, now: created),
                layers: layers,
                tags: request.tags
            )
        )
        _ = consume lock
        return image
    }

    private func located<R>(_ body: () throws(DockerfileError) -> R) throws -> R {
        do { return try body() } catch { throw error.failure }
    }

    /// Waits for the stage, or builds it.
    func stage(_ number: Int) throws -> ImageDraft {
        try stages.result(of: number) { try StageBuilder(self, dockerfile.stages[number]).run() }
    }

    /// The image of that name, pulled first where that was asked for. Each is looked for once in a build.
    func image(named name: String) throws -> ImageRecord {
        if let known = images.withLock({ $0[name] }) { return known }
        try bring(name)
        let image = try store.image(named: name)
        return images.withLock { images in
            if let known = images[name] { return known }
            images[name] = image
            return image
        }
    }

    // MARK: - Caches

    /// Those of the request that can be read.
    var caches: [StepCache] { known.withLock { $0 } }

    private func openCaches() {
        for place in request.caches {
            do {
                let cache = try StepCache(place, store)
                known.withLock { $0.append(cache) }
            } catch {
                let reason = (error as? Failure)?.message ?? "\(error)"
                show(.warning("the cache \(place) is not used: \(reason)"))
            }
        }
    }

    func note(_ step: DoneStep) { done.withLock { $0.append(step) } }
    var doneSteps: [DoneStep] { done.withLock { $0 } }

    // MARK: - Progress

    func begin(_ title: String) -> Int {
        let number = steps.withLock { steps in
            steps += 1
            return steps
        }
        show(.began(step: number, title: title))
        return number
    }

    func report(_ event: BuildEvent) { show(event) }
}
