package import SystemPackage

import CLinux
import Glibc
import Linux
import Synchronization

/// The writable directory and its work directory, in the format of the kernel's overlayfs. System calls only;
/// what they mean is decided in `UnionTree`.
///
/// ```
/// work/orphans/<id>   unlinked, but still open: gone when the kernel forgets it
/// work/links/<mark>   a copied-up file whose several names are not all in place yet
/// work/<number>       whatever is about to be renamed into the upper
/// ```
package final class Upper: Sendable {
    let root: OwnedFD
    /// Locked: a second union over the same directories would be news to the first.
    let work: OwnedFD
    let orphans: OwnedFD
    let links: OwnedFD
    private let counter = Atomic<UInt64>(0)

    /// Private attributes of the union; the kernel's overlayfs hides all of them, too.
    static let prefix = "trusted.overlay."
    static let opaque = prefix + "opaque"
    static let redirect = prefix + "redirect"
    /// Ours: the mark of the lower file it was copied up from. Keeps st_ino over remounts.
    static let origin = prefix + "mica.inode"
    /// Ours, on the root: some directory below has a redirect.
    static let hasRedirects = prefix + "mica.redirects"

    /// Opens both directories and empties the work directory of what a crash left. Both must be on one filesystem.
    package init(_ directory: FilePath, work workPath: FilePath) throws {
        root = try naming("open the upper \(directory)") { try OwnedFD.open(directory, O_PATH | O_DIRECTORY) }
        work = try naming("open the work directory \(workPath)") {
            try OwnedFD.open(workPath, O_RDONLY | O_DIRECTORY)
        }
        guard flock(work.raw, LOCK_EX | LOCK_NB) == 0 else {
            throw Failure("\(directory) is mounted already: its work directory \(workPath) is in use")
        }
        let both = (try root.status().st_dev, try work.status().st_dev)
        guard both.0 == both.1 else {
            throw Failure("\(workPath) is on another filesystem than \(directory)")
        }
        let orphansPath = workPath.appending("orphans")
        let linksPath = workPath.appending("links")
        try naming("prepare \(workPath)") {
            for name in try workPath.names() where name != Array("links".utf8) {
                try OwnedFD.open(workPath, O_RDONLY | O_DIRECTORY).removeTree(name)
            }
            try orphansPath.makeDirectory(mode: 0o700)
            try linksPath.makeDirectory(mode: 0o700)
        }
        orphans = try naming("open \(orphansPath)") { try OwnedFD.open(orphansPath, O_PATH | O_DIRECTORY) }
        links = try naming("open \(linksPath)") { try OwnedFD.open(linksPath, O_PATH | O_DIRECTORY) }
    }

    /// A name in the work directory that nothing has.
    func temporaryName() -> FileName {
        FileName("\(counter.wrappingAdd(1, ordering: .relaxed).newValue)")
    }

    /// The name in work/links of a file that has the lower's `mark`: hexadecimal digits.
    static func pendingName(_ mark: [UInt8]) -> FileName {
        let digits = Array("0123456789abcdef".utf8)
        return FileName(mark.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    static func mark(ofPending name: FileName) -> [UInt8]? {
        let digits = name.terminated.dropLast().map { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count.isMultiple(of: 2), !digits.contains(nil) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map {
            UInt8(truncatingIfNeeded: (digits[$0] ?? 0) << 4 | (digits[$0 + 1] ?? 0))
        }
    }

    /// Makes a whiteout in the work directory and returns its name.
    func makeWhiteout() throws(Errno) -> FileName {
        let name = temporaryName()
        try work.makeNode(name, mode: S_IFCHR, device: 0)
        return name
    }
}

/// The calls on a name in an open directory. None follows a symbolic link.
extension OwnedFD {
    func call(_ name: FileName, _ body: (CInt, UnsafePointer<CChar>) -> CInt) throws(Errno) {
        let result = use { raw in name.withCString { body(raw, $0) } }
        guard let result else { throw .invalidArgument }
        try Errno.check(result)
    }

    func status(of name: FileName) throws(Errno) -> FileStatus {
        var status = FileStatus()
        try call(name) { fstatat($0, $1, &status, AT_SYMLINK_NOFOLLOW) }
        return status
    }

    func open(_ name: FileName, _ flags: CInt, mode: UInt32 = 0) throws(Errno) -> OwnedFD {
        var fd: CInt = -1
        try call(name) {
            fd = openat($0, $1, flags | O_NOFOLLOW | O_CLOEXEC, mode)
            return fd
        }
        return OwnedFD(adopting: fd)
    }

    /// The kernel applies the thread's umask, or the directory's default ACL.
    func makeNode(_ name: FileName, mode: UInt32, device: UInt32) throws(Errno) {
        try call(name) { mknodat($0, $1, mode, dev_t(clinux_decode_device(device))) }
    }

    func makeDirectory(_ name: FileName, mode: UInt32) throws(Errno) {
        try call(name) { mkdirat($0, $1, mode) }
    }

    func makeSymlink(_ name: FileName, target: FileName) throws(Errno) {
        try call(name) { directory, name in target.withCString { symlinkat($0, directory, name) } ?? -1 }
    }

    func unlink(_ name: FileName) throws(Errno) { try call(name) { unlinkat($0, $1, 0) } }
    func removeDirectory(_ name: FileName) throws(Errno) { try call(name) { unlinkat($0, $1, AT_REMOVEDIR) } }

    func rename(
        _ name: FileName,
        to other: borrowing OwnedFD,
        _ newName: FileName,
        flags: UInt32 = 0
    ) throws(Errno) {
        let result = use { directory in
            other.use { target in
                name.withCString { name in
                    newName.withCString { clinux_renameat2(directory, name, target, $0, flags) }
                }
            }
        }
        guard let result = result ?? nil else { throw .invalidArgument }
        guard result >= 0 else { throw Errno(rawValue: -result) }
    }

    func link(_ name: FileName, to other: borrowing OwnedFD, _ newName: FileName) throws(Errno) {
        try other.use { target throws(Errno) in
            try call(name) { directory, name in
                newName.withCString { linkat(directory, name, target, $0, 0) } ?? -1
            }
        }
    }

    func changeOwner(_ name: FileName, uid: UInt32, gid: UInt32) throws(Errno) {
        try call(name) { fchownat($0, $1, uid, gid, AT_SYMLINK_NOFOLLOW) }
    }

    func changeMode(_ name: FileName, _ mode: UInt32) throws(Errno) {
        try call(name) { fchmodat($0, $1, mode & 0o7777, 0) }
    }

    func changeTimes(_ name: FileName, access: timespec, modification: timespec) throws(Errno) {
        let times = [access, modification]
        try call(name) { utimensat($0, $1, times, AT_SYMLINK_NOFOLLOW) }
    }

    /// A path that reaches `name` in this directory, for the system calls without an *at form.
    func withPath<R>(of name: FileName, _ body: (UnsafePointer<CChar>) -> R) -> R {
        use { raw in
            var path = Array("/proc/self/fd/\(raw)/".utf8)
            path += name.terminated
            return path.withUnsafeBytes { bytes in
                guard let start = bytes.assumingMemoryBound(to: CChar.self).baseAddress else {
                    return body("")
                }
                return body(start)
            }
        }
    }

    /// Into `buffer`, at most its size; nil where there is no such attribute.
    func attribute(_ attribute: String, of name: FileName, limit: Int = 4096) throws(Errno) -> [UInt8]? {
        var value = [UInt8](repeating: 0, count: limit)
        let count = withPath(of: name) { path in
            value.withUnsafeMutableBytes { lgetxattr(path, attribute, $0.baseAddress, $0.count) }
        }
        if count == -1 {
            switch Errno.last {
            case .noData, .notSupported: return nil
            default: throw .last
            }
        }
        value.removeLast(limit - count)
        return value
    }

    func setAttribute(_ attribute: String, of name: FileName, to value: [UInt8]) throws(Errno) {
        try Errno.check(withPath(of: name) { lsetxattr($0, attribute, value, value.count, 0) })
    }

    /// Removes `name` and, where it is a directory, all in it.
    func removeAll(_ name: FileName) throws(Errno) {
        try removeTree(Array(name.terminated.dropLast()))
    }
}
