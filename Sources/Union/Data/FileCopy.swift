import CLinux
import Glibc
import Linux
import SystemPackage

/// Copies data from file to file and preserves holes.
enum FileCopy {
    /// Copies `count` bytes from `start` in `from` to the start of `to`, which is a hole of that size.
    static func copy(
        from: borrowing OwnedFD,
        at start: UInt64,
        to: borrowing OwnedFD,
        count: UInt64
    ) throws(Errno) {
        var done: UInt64 = 0
        while done < count {
            guard let data = try from.data(from: start + done) else { return }
            done = max(done, data - start)
            guard done < count else { return }
            let end = min(count, (try from.hole(from: start + done)).map { $0 - start } ?? count)
            try copyExtent(from: from, start + done, to: to, done, count: end - done)
            done = end
        }
    }

    private static func copyExtent(
        from: borrowing OwnedFD,
        _ source: UInt64,
        to: borrowing OwnedFD,
        _ target: UInt64,
        count: UInt64
    ) throws(Errno) {
        var done: UInt64 = 0
        while done < count {
            var sourceOffset = Int64(source + done)
            var targetOffset = Int64(target + done)
            let wanted = min(count - done, 1 << 30)
            let copied = from.use { input in
                to.use { clinux_copy_file_range(input, &sourceOffset, $0, &targetOffset, wanted) }
            }
            if copied > 0 {
                done += UInt64(copied)
                continue
            }
            if copied == -Int64(EINTR) { continue }
            // EXDEV between filesystems, EINVAL or EOPNOTSUPP on some filesystems: read and write.
            try readAndWrite(from: from, source + done, to: to, target + done, count: count - done)
            return
        }
    }

    private static func readAndWrite(
        from: borrowing OwnedFD,
        _ source: UInt64,
        to: borrowing OwnedFD,
        _ target: UInt64,
        count: UInt64
    ) throws(Errno) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
        defer { buffer.deallocate() }
        var done: UInt64 = 0
        while done < count {
            let wanted = Int(min(count - done, UInt64(buffer.count)))
            let got = try from.readFully(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]),
                at: source + done
            )
            guard got == wanted else { throw .ioError }
            try to.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<got]), at: target + done)
            done += UInt64(got)
        }
    }
}
