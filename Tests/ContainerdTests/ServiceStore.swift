import Containerd
import Containers
import Layers
import Linux
import MountFixtures
import Snapshots
import SystemPackage

import Glibc

/// A service over a store of its own, with real mounts.
final class ServiceStore: Sendable {
    let workspace: Workspace
    let store: Store
    let service: ContainerdSnapshots

    static let isPossible = geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0

    init() throws {
        workspace = try Workspace()
        store = try Store.open(StoreLayout(root: FilePath("\(workspace.path)/store")))
        let mounts = try PrivateDirectory.claimed(FilePath("\(workspace.path)/run/mounts"))
        service = ContainerdSnapshots(store, mountsIn: mounts)
    }

    /// Where a snapshot is to be seen, as its client would bind it.
    func place(_ mounts: [ServedMount]) throws -> FilePath {
        guard let mount = mounts.first, mounts.count == 1, mount.type == "bind" else {
            throw Failure("one bind mount was expected, and there is \(mounts)")
        }
        return FilePath(mount.source)
    }

    /// A committed snapshot with one file, of this name and content, and one of `parent`'s gone.
    func commit(_ name: String, on parent: String = "", file: String, without removed: String? = nil) throws {
        let place = try place(service.prepare("\(name)-key", parent: parent, labels: [:]))
        try write(file, to: place.appending(file))
        if let removed { try place.appending(removed).unlink() }
        try service.commit("\(name)-key", as: name, parent: "", labels: ["of": name])
    }

    func write(_ text: String, to path: FilePath) throws {
        try OwnedFD.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644).writeAll(Array(text.utf8))
    }

    func text(of path: FilePath) throws -> String {
        String(decoding: try OwnedFD.open(path, O_RDONLY).contents(limit: 1 << 20), as: UTF8.self)
    }

    /// Mount points below the workspace.
    var mounted: [FilePath] { MountTable.current().targets(below: FilePath(workspace.path)) }
}
