import Linux
import SystemPackage

import Glibc

/// The root in which one side's paths are looked up: a container's, which no link leads out of, or the host's.
struct CopyRoot {
    /// nil: the host.
    let container: OpenFile?

    /// A path and what its ending (`/.`, `/`) asks for.
    struct Path {
        /// Absolute, without `.` and `..`.
        var path: FilePath
        /// `DIR/.`: what is in the directory is meant.
        var isContents: Bool
        /// `DIR/`: it has to be a directory, and a link there is followed.
        var isDirectory: Bool

        /// Empty for the root.
        var name: [UInt8] {
            path.lastComponent.map {
                $0.withPlatformString {
                    UnsafeBufferPointer(start: $0, count: strlen($0)).map { UInt8(bitPattern: $0) }
                }
            }
                ?? []
        }
    }

    func path(_ text: String) -> Path {
        var path = FilePath(text)
        let isContents = text == "." || text.hasSuffix("/.")
        let isDirectory = isContents || text.hasSuffix("/")
        if !path.isAbsolute {
            let current = container == nil ? getcwd(nil, 0) : nil
            defer { free(current) }
            path = (current.map { FilePath(platformString: $0) } ?? "/").pushing(path)
        }
        path.lexicallyNormalize()
        return Path(path: path, isContents: isContents || path.components.isEmpty, isDirectory: isDirectory)
    }

    /// Follows every link in `path` except its last name.
    func open(_ path: FilePath, _ flags: CInt) throws(Errno) -> OwnedFD {
        guard let container else { return try OwnedFD.open(path, flags) }
        return try container.fd.open(inRoot: path, flags)
    }

    /// lstat(2). nil where nothing exists.
    func status(_ path: FilePath) throws(Errno) -> FileStatus? {
        do throws(Errno) {
            if path.components.isEmpty { return try open("/", O_PATH | O_DIRECTORY).status() }
            return try open(path, O_PATH | O_NOFOLLOW).status()
        } catch {
            guard error == .noSuchFileOrDirectory else { throw error }
            return nil
        }
    }

    /// The path that links at the end of `path` lead to, which need not exist. ELOOP.
    func followed(_ path: FilePath) throws(Errno) -> FilePath {
        var path = path
        for _ in 0..<40 {
            guard let status = try status(path), status.st_mode & S_IFMT == S_IFLNK else { return path }
            let target = FilePath(name: try open(path, O_PATH | O_NOFOLLOW).linkTarget())
            // `..` after a directory that was reached by a link is not its lexical parent: openat2(2) resolves that.
            path = target.isAbsolute ? target : path.removingLastComponent().pushing(target)
        }
        throw .tooManySymbolicLinkLevels
    }
}
