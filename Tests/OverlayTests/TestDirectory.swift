import Glibc
import Linux
import Scratch
import SystemPackage
import Synchronization

/// A directory of a test's own, gone with the value. Not on tmpfs, which has no user attributes on older kernels.
final class TestDirectory {
    let path: FilePath
    private static let counter = Atomic(0)

    init(in parent: String = "/var/tmp") throws(Errno) {
        let number = TestDirectory.counter.wrappingAdd(1, ordering: .relaxed).newValue
        path = FilePath("\(Scratch.prefix("overlay", in: parent))\(number)")
        try path.makeDirectories()
    }

    deinit { try? path.removeTree() }

    func open() throws(Errno) -> OwnedFD { try OwnedFD.open(path, O_RDONLY | O_DIRECTORY) }

    /// Makes a file with these attributes `user.overlay.*`.
    @discardableResult
    func add(_ name: String, _ contents: String = "", _ marks: [String: [UInt8]] = [:]) throws -> FileName {
        let file = path.appending(name)
        try OwnedFD.open(file, O_WRONLY | O_CREAT, mode: 0o644).writeAll(Array(contents.utf8))
        for (mark, value) in marks { try Xattr.set(XattrName("user.overlay.\(mark)"), value, at: file) }
        return FileName(name)
    }
}
