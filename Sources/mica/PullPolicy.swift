import ArgumentParser
import Images
import Linux
import OCI
import Snapshots

/// When to pull an image before a container is made of it.
enum PullPolicy: String, CaseIterable, ExpressibleByArgument {
    case always, missing, never

    /// Progress goes to standard error. `interruptible`: the caller does not handle signals. Failure (notFound) for an image that is neither in the store nor in the
    /// registry.
    func bring(_ name: String, to store: Store, interruptible: Bool = true) throws {
        switch self {
        case .never: return
        case .always: try pull(name, to: store, interruptible)
        case .missing:
            do { _ = try store.image(named: name) } catch let missing as Failure {
                guard missing.kind == .notFound else { throw missing }
                do { try pull(name, to: store, interruptible) } catch let failure as Failure {
                    throw Failure(
                        missing.message,
                        advice: [missing.advice, "It can't be pulled either: \(failure.message)"]
                            .compactMap(\.self).joined(separator: " "),
                        kind: .notFound
                    )
                }
            }
        }
    }

    private func pull(_ name: String, to store: Store, _ interruptible: Bool) throws {
        let progress = LayerProgress(quiet: false)
        defer { progress.close() }
        func pull() throws {
            _ = try ImagePull(store: store).pull(
                try ImageReference(name),
                isShort: ImageReference.isShort(name),
                report: { progress.show($0) }
            )
        }
        if interruptible { try Interruption.cleaning(pull) } else { try pull() }
    }
}
