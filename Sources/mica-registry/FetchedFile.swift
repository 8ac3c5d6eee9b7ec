import Glibc
import Linux
import SystemPackage

/// The file that something of unknown size is brought into. Used by one thread.
final class FetchedFile {
    private(set) var count: UInt64 = 0
    /// Why it took no more.
    private(set) var failure: Failure?
    private let limit: UInt64
    private let file: CInt

    /// `limit`: bytes that it takes.
    init(_ path: String, limit: UInt64) throws {
        self.limit = limit
        file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { throw Failure("open \(path)", .last) }
    }

    deinit { close(file) }

    /// False, and `failure`, where it can't take them.
    func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard UInt64(bytes.count) <= limit - count else {
            failure = Failure("it has more than \(limit) bytes, which is what mica fetches")
            return false
        }
        do throws(Errno) { try InheritedFD(file).writeAll(bytes) } catch {
            failure = Failure("it can't be written", error)
            return false
        }
        count += UInt64(bytes.count)
        return true
    }

    /// Begins anew, and gives back what room it takes.
    func empty() {
        ftruncate(file, 0)
        lseek(file, 0, SEEK_SET)
        count = 0
    }
}
