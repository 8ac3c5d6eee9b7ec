import Linux
import SystemPackage

import Glibc

/// What paths of a copy's side are looked up in: a container's root, which no link leads out of, or the host.
struct CopyRoot {
    /// nil: the host.
    let container: OpenFile?

    /// A path with its last name, and what stood behind that.
    struct Path {
        /// Absolute, without `.` and `..`.
        var path: FilePath
        /// `DIR/.`: what is in the directory is meant.
        var isContents: Bool
        /// `DIR/`: it has to be a directory, and a link there is followed.
        var isDirectory: Bool

        /// Of a root: empty.
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

    /// Follows links in all of `path`, but for its last name.
    func open(_ path: FilePath, _ flags: CInt) throws(Errno) -> OwnedFD {
        guard let container else { return try OwnedFD.open(path, flags) }
        return try container.fd.open(inRoot: path, flags)
    }

    /// lstat(2). nil where nothing is.
    func status(_ path: FilePath) throws(Errno) -> FileStatus? {
        do throws(Errno) {
            if path.components.isEmpty { return try open("/", O_PATH | O_DIRECTORY).status() }
            return try open(path, O_PATH | O_NOFOLLOW).status()
        } catch {
            guard error == .noSuchFileOrDirectory else { throw error }
            return nil
        }
    }

    /// Where links at the end of `path` lead, which may be to nothing. ELOOP.
    func followed(_ path: FilePath) throws(Errno) -> FilePath {
        var path = path
        for _ in 0..<40 {
            guard let status = try status(path), status.st_mode & S_IFMT == S_IFLNK else { return path }
            let target = FilePath(name: try open(path, O_PATH | O_NOFOLLOW).linkTarget())
            // In a directory that is itself reached by links `..` is not what stands there: openat2(2) sees to it.
            path = target.isAbsolute ? target : path.removingLastComponent().pushing(target)
        }
        throw .tooManySymbolicLinkLevels
    }
}
