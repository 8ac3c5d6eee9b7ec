import Glibc
import Linux
import OCI
import SystemPackage

/// What a request sends: bytes, or a part of a file. Used by one thread.
final class UploadContent {
    let count: UInt64
    /// Why it could not be read.
    private(set) var failure: Failure?
    private let bytes: [UInt8]
    private let file: BlobFile.Shared?
    private let start: UInt64
    private var done: UInt64 = 0
    private let news: (UInt64) -> Void

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        count = UInt64(bytes.count)
        file = nil
        start = 0
        news = { _ in }
    }

    /// `news`: how many bytes of the file were taken.
    init(_ path: String, from start: UInt64, count: UInt64, news: @escaping (UInt64) -> Void) throws {
        file = try naming("open \(path)") {
            // Through /proc where the file has no name.
            BlobFile.Shared(try OwnedFD.open(FilePath(path), O_RDONLY))
        }
        bytes = []
        self.start = start
        self.count = count
        self.news = news
    }

    func rewind() { done = 0 }

    /// 0 at the end; nil, and `failure`, where it can't.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let want = Int(min(UInt64(buffer.count), count - done))
        guard want > 0 else { return 0 }
        guard let file else {
            buffer.copyBytes(from: bytes[Int(done)..<Int(done) + want])
            done += UInt64(want)
            return want
        }
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<want])
        do throws(Errno) {
            let got = try file.fd.readFully(into: part, at: start + done)
            guard got == want else { throw Errno.ioError }
            done += UInt64(got)
            news(start + done)
            return got
        } catch {
            failure = Failure("read a blob that is sent", error)
            return nil
        }
    }
}
