import Containerd
import Glibc
import Layers
import Linux
import Snapshots
import SystemPackage

/// `micad mica:12 DIRECTORY -o rw,root=DIR`: what mount.fuse3(8) calls for the mounts of type `fuse3.micad`.
struct MountHelper {
    /// mount(8)'s exit status for a mount that failed.
    static let failed: CInt = 32

    private let snapshot: SnapshotNumber
    private let target: FilePath
    private let options: [Substring]

    /// nil where the arguments are no mount helper's.
    init?(_ arguments: [String]) {
        guard arguments.count >= 2, let number = SnapshotNumber(arguments[0]) else { return nil }
        snapshot = number
        target = FilePath(arguments[1])
        let rest = arguments.dropFirst(2)
        options = zip(rest, rest.dropFirst()).filter { $0.0 == "-o" }.flatMap { $0.1.split(separator: ",") }
    }

    func run() throws {
        guard let root = options.last(where: { $0.hasPrefix("root=") })?.dropFirst(5), root.hasPrefix("/")
        else {
            throw Failure("mount \(snapshot.text): the option root=DIR is missing", exitCode: 1)
        }
        let store = try Store.open(StoreLayout(root: FilePath(String(root))))
        try ContainerdSnapshots.mount(snapshot, of: store, at: target, isReadOnly: options.contains("ro"))
    }
}
