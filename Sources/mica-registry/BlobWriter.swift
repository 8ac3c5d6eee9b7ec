import Glibc
import Linux
import SystemPackage

/// The file that a blob is brought into, and how far it is. Used by one thread.
final class BlobWriter {
    let size: UInt64
    private(set) var done: UInt64
    /// Why it took no more.
    private(set) var failure: Failure?
    /// It was this machine that had no room.
    private(set) var isFull = false
    private let file: CInt
    private let path: String
    private let news: (UInt64) -> Void
    private var told: UInt64 = 0
    /// Of an answer that begins at the start: what is there already and was passed over.
    private var skipped: UInt64 = 0
    private var start: UInt64 = 0

    /// Bytes between two reports of progress.
    private static let worthTelling: UInt64 = 256 << 10

    /// Goes on behind what is in the file. `news`: how many bytes are there.
    init(_ path: String, size: UInt64, news: @escaping (UInt64) -> Void) throws {
        self.path = path
        self.size = size
        self.news = news
        file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { throw Failure("open \(path)", .last) }
        done = UInt64(max(lseek(file, 0, SEEK_END), 0))
        guard done <= size else {
            close(file)
            throw Failure("\(path) has \(done) bytes, more than the \(size) of the blob")
        }
        tell()
    }

    deinit { close(file) }

    var isWhole: Bool { done == size }

    /// The registry does not give parts: all of it comes again, and what is there is passed over.
    var knowsNoParts = false

    /// An answer is about to come. What to ask for it with.
    func begin() -> [String] {
        start = done
        skipped = 0
        return start > 0 && !knowsNoParts ? ["Range: bytes=\(start)-"] : []
    }

    /// Whether an answer's headers agree with what is wanted; false, and `failure`, where they don't.
    func agrees(_ response: HTTP.Response) -> Bool {
        let isPart = response.status == 206
        let range = response.headers["content-range"]
        if isPart, let range, !range.hasPrefix("bytes \(start)-") {
            failure = Failure(
                "the registry sends another part of the blob than was asked for: \(Printable.text(range))"
            )
        }
        if !isPart, let length = response.headers["content-length"], length != "\(size)" {
            failure = Failure("the registry sends \(Printable.text(length)) bytes for a blob of \(size)")
        }
        return failure == nil
    }

    /// False, and `failure`, where it can't take them.
    func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard UInt64(bytes.count) <= size - done else {
            failure = Failure("the registry sends more than the \(size) bytes that the blob should have")
            return false
        }
        do throws(Errno) { try InheritedFD(file).writeAll(bytes) } catch {
            failure = Failure("write to \(path)", error)
            isFull = true
            return false
        }
        done += UInt64(bytes.count)
        if done - told >= BlobWriter.worthTelling || isWhole { tell() }
        return true
    }

    /// The same, of an answer that has all of the blob.
    func takeFromStart(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let count = min(start - skipped, UInt64(bytes.count))
        skipped += count
        return take(UnsafeRawBufferPointer(rebasing: bytes[Int(count)...]))
    }

    /// Gives back what room it takes.
    func empty() { ftruncate(file, 0) }

    private func tell() {
        guard done > told || isWhole else { return }
        told = done
        news(done)
    }
}
