import ArgumentParser
import Containers
import Linux
import Snapshots
import SystemPackage

struct UnmountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "umount",
        _superCommandName: Mica.name,
        abstract: "Unmount what mica mounted."
    )

    @OptionGroup var global: GlobalOptions

    @Flag(
        name: [.short, .long, .customShort("f"), .customLong("force")],
        help: "Take it out of sight at once; it ends with its last user."
    )
    var lazy = false

    @Argument(help: "Where it is mounted.")
    var directories: [String]

    func run() throws {
        let mounts = Mounts(try Store.open(global.layout))
        for directory in directories {
            if let key = try mounts.unmount(FilePath(directory), lazy: lazy) {
                print("Snapshot \(key) keeps what was written (mica snapshot rm \(key) removes it).")
            }
        }
    }
}
