import Digests
import Dockerfile
import Linux
import OCI
import Snapshots
import Containers

/// Builds one stage, on one thread.
final class StageBuilder {
    let build: Build
    let stage: Stage
    var draft: ImageDraft
    var config: StageConfig
    /// Of the instruction that is executed, for progress.
    private var position = 1
    private var count = 1

    init(_ build: Build, _ stage: Stage) {
        self.build = build
        self.stage = stage
        draft = ImageDraft(scratch: build.request.platform ?? .host)
        config = .scratch(arguments: build.arguments)
    }

    /// What `ENV`, and `ARG` so far, give the words of the stage and its commands.
    var variables: Variables { config.variables }

    func run() throws -> ImageDraft {
        // What a base's ONBUILD adds is not known yet.
        count = 1 + stage.instructions.count { StageBuilder.isStep($0.keyword) }
        let triggers = try located(stage.source) { try begin() }
        let instructions =
            try located(stage.source) {
                try triggers.map { try Dockerfile.parse(trigger: $0, of: stage.source) }
            } + stage.instructions
        count = 1 + instructions.count { StageBuilder.isStep($0.keyword) }
        for instruction in instructions {
            try build.cancellation.check()
            if StageBuilder.isStep(instruction.keyword) { position += 1 }
            try located(instruction.source) { try execute(instruction) }
        }
        draft.config = config
        return draft
    }

    private static func isStep(_ keyword: Keyword) -> Bool {
        switch keyword {
        case .run, .copy, .add, .workdir: true
        default: false
        }
    }

    /// Says of an error where in the Dockerfile it is. A build exits with 1, whatever has failed.
    private func located<R>(_ source: Source, _ body: () throws -> R) throws -> R {
        do { return try body() } catch let error as DockerfileError {
            throw error.at(source).failure
        } catch let failure as Failure {
            // An error of another stage has its place.
            guard !failure.message.hasPrefix("\(build.request.name):"), !build.cancellation.isCancelled else {
                throw failure
            }
            throw Failure(
                "\(source.file):\(source.lines.lowerBound): \(failure.message)",
                advice: failure.advice,
                kind: failure.kind
            )
        }
    }

    /// `[build 2/5] RUN make`
    func title(_ text: String) -> String {
        let name = build.dockerfile.stages.count > 1 ? "\(stage.title) " : ""
        return "[\(name)\(position)/\(count)] \(text)"
    }

    // MARK: - FROM

    /// Returns the `ONBUILD`s of the base.
    private func begin() throws -> [String] {
        let node = build.graph.nodes[stage.number]
        let wanted = node.platform ?? build.request.platform
        if let wanted, wanted.rank(on: .host) == nil {
            throw Failure(
                "the platform \(wanted) is not this machine's, \(Platform.host): mica emulates none",
                advice: "Build on such a machine."
            )
        }
        switch node.base {
        case .stage(let number):
            draft = try build.stage(number)
            config = draft.config?.next() ?? config
        case .image(let name):
            let step = build.begin(title("FROM \(name)"))
            let image = try build.image(named: name)
            draft = try ImageDraft(config: image.config, name: name, layers: image.layers)
            try check(image, named: name)
            config = StageConfig(image: draft.process, arguments: build.arguments)
            build.report(.done(step: step))
        case .scratch: draft = ImageDraft(scratch: wanted ?? .host)
        }
        let triggers = draft.process.onBuild ?? []
        draft.process = config.process
        if let epoch = build.epoch { draft.begin(at: epoch) }
        return triggers
    }

    private func check(_ image: ImageRecord, named name: String) throws {
        let config = try ImageConfig(json: image.config, name: "the config of \(name)")
        guard let architecture = config.architecture, !architecture.isEmpty else { return }
        let own = Platform(architecture: architecture, os: config.os ?? "linux", variant: config.variant)
        guard own.rank(on: .host) == nil else { return }
        throw Failure("\(name) is for \(own), not for this machine, \(Platform.host): mica emulates none")
    }

    // MARK: - Where files are copied and mounted from

    /// A stage's or an image's layers, by the name after `--from=`.
    func layers(from name: String) throws -> [Digest] {
        switch try build.graph.origin(name, in: stage.number) {
        case .scratch: return []
        case .image(let name): return try build.image(named: name).layers
        case .stage(let number):
            // A stage that comes later may be waiting for this one.
            guard number < stage.number else {
                throw DockerfileError(
                    "cannot copy from stage \"\(name)\", it needs to be defined before this one"
                )
            }
            return try build.stage(number).layers
        }
    }

    // MARK: - Config

    func note(_ text: String, layer: Digest? = nil) {
        draft.note(text, created: build.created, layer: layer)
    }

    /// Of a step that an earlier build did.
    func note(_ text: String, _ step: (layer: Digest, created: Int64)) {
        draft.note(text, created: build.epoch ?? step.created / 1_000_000_000, layer: step.layer)
    }

    var workingDirectory: String {
        let directory = draft.process.workingDirectory ?? ""
        return directory.hasPrefix("/") ? directory : "/\(directory)"
    }

    /// A path of the image: relative to the working directory. A slash at its end stays.
    func absolute(_ path: String) -> String {
        let isDirectory = path.isEmpty || path == "." || path.hasSuffix("/") || path.hasSuffix("/.")
        let whole = path.hasPrefix("/") ? path : "\(workingDirectory)/\(path)"
        let names = TreePath.names(whole.utf8)
        let clean = TreePath.text(names)
        return isDirectory && !names.isEmpty ? clean + "/" : clean
    }
}
