package import SystemPackage

import Linux

import Glibc

/// A file that has its name once it is whole, and not before.
package struct OutputFile: ~Copyable {
    private let target: FilePath
    private var temporary: FilePath?
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
        guard let name = target.lastComponent?.string else { throw Failure("\(target) names no file") }
        let directory = target.removingLastComponent()
        var path = (directory.isEmpty ? FilePath(".") : directory).appending(".\(name).XXXXXX")
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

    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        try naming("write \(target)") { try fd.writeAll(bytes) }
    }

    /// Gives the file its name; it is on disk then.
    package mutating func finish() throws {
        guard let path = temporary.take() else { return }
        try naming("write \(target)") {
            try fd.synchronize()
            try path.rename(to: target)
        }
    }

    deinit { try? temporary?.unlink() }
}
