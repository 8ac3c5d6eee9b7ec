package import SystemPackage

import Linux

import Glibc

/// The files and directories in an upper that are there only because something was to be mounted on them:
/// the file `mountpoints` beside it, absolute paths with a NUL after each, parents before what is in them.
///
/// While they are empty they are no change of the container's: neither a diff nor a commit has them.
package enum MadePaths {
    private static func file(beside upper: FilePath) -> FilePath {
        upper.removingLastComponent().appending("mountpoints")
    }

    /// Notes what was made in an upper only to be mounted on: absolute paths in it, parents first.
    package static func note(_ paths: [[UInt8]], in upper: FilePath) throws {
        guard !paths.isEmpty else { return }
        let file = file(beside: upper)
        try naming("write \(file)") {
            let file = try OwnedFD.open(file, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
            try file.writeAll(paths.flatMap { $0 + [0] })
        }
    }

    /// Those in `upper` that are still as they were made. Without the file there are none.
    static func untouched(in upper: FilePath) -> Set<FileIdentity> {
        guard let list = try? OwnedFD.open(file(beside: upper), O_RDONLY).contents(limit: 1 << 20),
            let root = try? OwnedFD.open(upper, O_RDONLY | O_DIRECTORY)
        else { return [] }
        var found: Set<FileIdentity> = []
        // From the inside out: a directory that has only such things in it is one as well.
        for path in list.split(separator: 0).reversed() {
            let relative = FilePath(bytes: Array(path.drop { $0 == UInt8(ascii: "/") }))
            // What the container may have put in the way is not followed.
            guard !relative.isEmpty, let file = try? root.open(beneath: relative, O_PATH | O_NOFOLLOW),
                let status = try? file.status()
            else { continue }
            let isUntouched =
                switch status.st_mode & S_IFMT {
                case S_IFREG: status.st_size == 0
                case S_IFDIR: (try? hasOnly(found, root, relative)) ?? false
                default: false
                }
            if isUntouched { found.insert(FileIdentity(status)) }
        }
        return found
    }

    private static func hasOnly(
        _ found: Set<FileIdentity>,
        _ root: borrowing OwnedFD,
        _ path: FilePath
    ) throws(Errno) -> Bool {
        let directory = try root.open(beneath: path, O_RDONLY | O_DIRECTORY)
        for name in try directory.names() {
            guard found.contains(FileIdentity(try directory.status(of: FileName(name)))) else { return false }
        }
        return true
    }
}

extension FileIdentity {
    /// Of a file in an upper.
    init(_ status: FileStatus) {
        self = .upper(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}
