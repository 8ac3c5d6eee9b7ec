package import SystemPackage

import Linux

import Glibc

/// A file that has its name once it is whole, and not before. Where the filesystem can do that it has no name at all
/// before, so that nothing is left of it if this process is killed.
package struct OutputFile: ~Copyable {
    private let target: FilePath
    private var temporary: FilePath?
    private var isNameless = false
    private let fd: OwnedFD

    /// Beside `target`. What is no regular file (a pipe, a device) is written to as it is.
    package init(_ target: FilePath) throws {
        self.target = target
        if let status = try? target.status(), status.st_mode & S_IFMT != S_IFREG,
            status.st_mode & S_IFMT != S_IFLNK
        {
            fd = try naming("open \(target)") { try OwnedFD.open(target, O_WRONLY) }
            return
        }
        guard target.lastComponent != nil else { throw Failure("\(target) names no file") }
        if let file = try? OwnedFD.open(
            OutputFile.directory(of: target),
            O_WRONLY | OutputFile.nameless,
            mode: 0o600
        ) {
            fd = file
            isNameless = true
            return
        }
        var path = OutputFile.beside(target, "XXXXXX")
        Unfinished.begin()
        do {
            fd = try naming("create \(target)") { try OwnedFD.create(unique: &path) }
        } catch {
            Unfinished.made(nil)
            throw error
        }
        Unfinished.made(path)
        temporary = path
    }

    /// O_TMPFILE, which Swift does not import.
    private static let nameless = 0o20_000_000 | O_DIRECTORY

    private static func directory(of target: FilePath) -> FilePath {
        let directory = target.removingLastComponent()
        return directory.isEmpty ? FilePath(".") : directory
    }

    private static func beside(_ target: FilePath, _ end: String) -> FilePath {
        directory(of: target).appending(".\(target.lastComponent?.string ?? "").\(end)")
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        try naming("write \(target)") { try fd.writeAll(bytes) }
    }

    /// Gives the file its name; it is on disk then.
    package mutating func finish() throws {
        guard isNameless || temporary != nil else { return }
        try naming("write \(target)") {
            try fd.synchronize()
            if isNameless, try isFirst() { return }
            guard let path = temporary.take() else { return }
            try path.rename(to: target)
        }
    }

    /// Whether there was no such file, and now is. A link takes no other file's place: where there is one, this one gets
    /// a name to be renamed from.
    private mutating func isFirst() throws(Errno) -> Bool {
        do {
            try link(to: target)
            return true
        } catch {
            guard error == .fileExists else { throw error }
            let path = OutputFile.beside(target, String(UInt64.random(in: 0...UInt64.max), radix: 36))
            try link(to: path)
            temporary = path
            return false
        }
    }

    private func link(to path: FilePath) throws(Errno) {
        let own = "/proc/self/fd/\(fd.raw)"
        try Errno.check(path.withPlatformString { linkat(AT_FDCWD, own, AT_FDCWD, $0, AT_SYMLINK_FOLLOW) })
    }

    deinit { try? temporary?.unlink() }
}
