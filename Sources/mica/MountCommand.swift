import ArgumentParser
import Containers
import Linux
import Snapshots
import SystemPackage

struct MountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount",
        abstract: "Mount an image at a directory.",
        discussion: """
            Read-only, or with --rw as a new snapshot of the image, whose key is printed. What was written stays with \
            the snapshot until `mica snapshot rm KEY`; `mica mount --rw --name KEY IMAGE DIR` mounts it again.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: .customLong("rw"), help: "Mount a snapshot, to be written to.")
    var isWritable = false

    @Option(help: "The snapshot's key: an existing one, or one to be made.")
    var name: String?

    @Argument(help: "An image in the store.")
    var image: String

    @Argument(help: "An existing directory.")
    var directory: String

    func validate() throws {
        if name != nil, !isWritable { throw ValidationError("--name is for --rw.") }
    }

    func run() throws {
        let mounts = Mounts(try Store.open(global.layout))
        guard isWritable else { return try mounts.mount(image: image, at: FilePath(directory)) }
        print(try mounts.mountWritable(image: image, key: name, at: FilePath(directory)))
    }
}
