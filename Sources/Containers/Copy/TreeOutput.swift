package import Linux
package import SystemPackage

import Glibc

/// A tree that is written to the host.
package enum TreeOutput {
    /// Unpacks a tar into an existing directory, and nowhere else. All belongs to this process's user, without set-id bits;
    /// devices are refused.
    package static func unpack(_ source: some ByteSource, named name: String, into directory: FilePath) throws
    {
        let root = try naming("open \(directory)") { try OwnedFD.open(directory, O_PATH | O_DIRECTORY) }
        let place = TreeUnpacker.Place(root: OpenFile(root), isRoot: false, path: "")
        try TreeUnpacker(place, owner: (geteuid(), getegid())).unpack(source, named: name)
    }

    /// The same with the owners, modes and attributes of the tar, into a directory that no other user can reach.
    package static func unpackAsIs(
        _ source: some ByteSource,
        named name: String,
        into directory: FilePath
    ) throws {
        let root = try naming("open \(directory)") { try OwnedFD.open(directory, O_PATH | O_DIRECTORY) }
        let place = TreeUnpacker.Place(root: OpenFile(root), isRoot: false, path: "")
        try TreeUnpacker(place, owner: nil).unpack(source, named: name)
    }
}
