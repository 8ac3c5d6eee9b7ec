import CLinux
import Glibc
import Linux
import SystemPackage

/// A private copy of the mount that directories are on, in which reading changes no access time. O_NOATIME does not
/// do for symbolic links, for files of other users, and for files that the kernel opens (passthrough).
final class QuietMount {
    private let tree: OwnedFD
    private let base: FilePath

    /// Nil where the directories are on several mounts, between which nothing can be renamed, and where this process
    /// may not copy mounts (CAP_SYS_ADMIN).
    init?(of directories: [FilePath]) {
        let resolved = directories.compactMap(QuietMount.resolved)
        guard resolved.count == directories.count, let first = resolved.first else { return nil }
        var base = first
        while !resolved.allSatisfy({ $0.starts(with: base) }), base.removeLastComponent() {}
        let copy = base.withPlatformString { clinux_open_tree_copy($0) }
        guard copy >= 0 else { return nil }
        tree = OwnedFD(adopting: copy)
        self.base = base
        for directory in directories {
            // A mount on the path to it is not in the copy.
            guard let there = try? open(directory, O_PATH | O_DIRECTORY).status(),
                let here = try? directory.followedStatus(),
                there.st_dev == here.st_dev, there.st_ino == here.st_ino
            else { return nil }
        }
    }

    private static func resolved(_ path: FilePath) -> FilePath? {
        guard let resolved = path.withPlatformString({ realpath($0, nil) }) else { return nil }
        defer { free(resolved) }
        return FilePath(platformString: resolved)
    }

    /// Opens one of the directories, or a directory in them.
    func open(_ directory: FilePath, _ flags: CInt) throws(Errno) -> OwnedFD {
        guard let path = QuietMount.resolved(directory) else { throw .noSuchFileOrDirectory }
        let rest = FilePath(root: nil, path.components.dropFirst(base.components.count))
        return try tree.open(beneath: rest.isEmpty ? "." : rest, flags)
    }
}
