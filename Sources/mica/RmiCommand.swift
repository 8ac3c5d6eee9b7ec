import ArgumentParser
import Digests
import Linux
import Snapshots

struct RmiCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rmi",
        _superCommandName: Mica.name,
        abstract: "Remove images.",
        discussion: """
            Takes a name away, and the image with its last one. Its space is freed at once unless another command is \
            working in the store; then the next rmi or mica gc does it.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: .shortAndLong, help: "By ID: also an image that has several names.")
    var force = false

    @Argument(help: ArgumentHelp("Names or IDs.", valueName: "image"), completion: .images)
    var images: [String]

    func run() throws {
        let store = try global.store()
        var hasFailed = false
        var hasDeleted = false
        for name in images {
            do {
                let removal = try store.removeImage(named: name, force: force)
                for tag in removal.untagged { print("Untagged: \(familiar(tag))") }
                hasDeleted = hasDeleted || !removal.deleted.isEmpty
                for id in removal.deleted { print("Deleted: \(id)") }
            } catch let failure as Failure {
                // One failure does not stop the rest.
                Mica.complain(failure)
                // What is not there need not go: so docker.
                if !force || failure.kind != .notFound { hasFailed = true }
            }
        }
        if hasDeleted {
            do {
                for problem in try store.collect(waiting: false)?.problems ?? [] { Mica.complain(problem) }
            } catch {
                Mica.complain("free what the images had for themselves: \(error)")
            }
        }
        if hasFailed { throw ExitCode(1) }
    }
}
