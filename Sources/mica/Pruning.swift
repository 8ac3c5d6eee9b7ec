import ArgumentParser
import Containers
import Digests
import Linux
import Snapshots

/// Removes many things at once, and prints what was removed.
struct Pruning {
    private let store: Store
    private var hasFailed = false

    init(_ store: Store) { self.store = store }

    /// Removes the containers that have ended: one that has not been started may be about to be.
    mutating func removeContainers(before time: Int64?) throws {
        let all = Containers(store)
        all.reclaim()
        let ended = try all.all().filter { container in
            [.exited, .unknown].contains(all.status(of: container).phase)
                && time.map { container.record.created < $0 } ?? true
        }
        if !ended.isEmpty { print("Deleted Containers:") }
        for container in ended {
            let isGone = Pruning.attempt {
                try all.remove(container, force: false)
                print(container.record.id)
            }
            hasFailed = hasFailed || !isGone
        }
    }

    /// Removes images without a name, or with `all` named ones, too; none that a container uses.
    mutating func removeImages(all: Bool, _ filter: ImageFilter) throws {
        let used = Set(try store.containers().map(\.image))
        let unused = filter.apply(to: try store.images()).filter {
            !used.contains($0.id) && (all || $0.tags.isEmpty)
        }
        if !unused.isEmpty { print("Deleted Images:") }
        for image in unused {
            let store = store
            let isGone = Pruning.attempt {
                let removal = try store.removeImage(named: "\(image.id)", force: true)
                for tag in removal.untagged { print("untagged: \(familiar(tag))") }
                for id in removal.deleted { print("deleted: \(id)") }
            }
            hasFailed = hasFailed || !isGone
        }
    }

    /// Frees the space of what was removed.
    mutating func finish() throws {
        guard let collection = try store.collect() else { return }
        for problem in collection.problems { Mica.complain(problem) }
        print("Total reclaimed space: \(Human.size(collection.bytes))")
        if hasFailed || !collection.problems.isEmpty { throw ExitCode(1) }
    }

    /// Whether it succeeded; one failure does not stop the rest.
    private static func attempt(_ body: () throws -> Void) -> Bool {
        do {
            try body()
            return true
        } catch let failure as Failure {
            Mica.complain(failure)
        } catch {
            Mica.complain("\(error)")
        }
        return false
    }
}
