import ArgumentParser
import Containers
import Linux
import Snapshots
import SystemPackage

struct UnmountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "umount",
        _superCommandName: Mica.name,
        abstract: "Unmount what mica mounted.",
        discussion: """
            What is not in use in this mount namespace is gone for all others as well. What was written before is safe.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: [.short, .long], help: "Take it out of sight at once; it ends with its last user.")
    var lazy = false

    @Flag(name: [.short, .long], help: "End it at once, also for those who use it: they get errors.")
    var force = false

    @Argument(help: "Where it is mounted.", completion: .mounts)
    var directories: [String]

    func run() throws {
        let users: Mounts.Users = force ? .lose : lazy ? .goOn : .matter
        let mounts = Mounts(try Store.open(global.layout))
        for directory in directories {
            if let key = try mounts.unmount(FilePath(directory), users: users) {
                print("Snapshot \(key) keeps what was written (mica snapshot rm \(key) removes it).")
            }
        }
    }
}
