package import SystemPackage

import Glibc

extension OwnedFD {
    /// read(2) of at most `buffer.count` bytes; 0 at the end of the file. Waits where there are none yet.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try use { raw throws(Errno) in try InheritedFD(raw).read(into: buffer) }
    }

    /// Fills `buffer` as far as the file goes; returns how many bytes.
    package func readFully(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        var done = 0
        while done < buffer.count {
            let count = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// pread(2), repeated until `buffer` is full or the file ends; returns how many bytes.
    package func readFully(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno) -> Int
    {
        var done = 0
        while done < buffer.count {
            let count = try use { raw throws(Errno) in
                try Errno.retrying { () -> Int in
                    Glibc.pread(
                        raw,
                        buffer.baseAddress.map { $0 + done },
                        buffer.count - done,
                        Int(offset) + done
                    )
                }
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// write(2), repeated until everything is written.
    package func writeAll(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        try use { raw throws(Errno) in try InheritedFD(raw).writeAll(bytes) }
    }

    package func writeAll(_ bytes: [UInt8]) throws(Errno) {
        try bytes.span.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(Errno) in try writeAll(bytes)
        }
    }

    /// pwrite(2), repeated until everything is written.
    package func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
        var done = 0
        while done < bytes.count {
            done += try use { raw throws(Errno) in
                try Errno.retrying { () -> Int in
                    Glibc.pwrite(
                        raw,
                        bytes.baseAddress.map { $0 + done },
                        bytes.count - done,
                        Int(offset) + done
                    )
                }
            }
        }
    }

    package func synchronize() throws(Errno) {
        try use { raw throws(Errno) in _ = try Errno.retrying { fsync(raw) } }
    }

    package func truncate(to size: UInt64) throws(Errno) {
        try use { raw throws(Errno) in _ = try Errno.retrying { ftruncate(raw, Int(size)) } }
    }

    package func status() throws(Errno) -> FileStatus {
        var status = FileStatus()
        try use { raw throws(Errno) in _ = try Errno.check(fstat(raw, &status)) }
        return status
    }

    /// The whole file, at most `limit` bytes: EFBIG beyond that.
    package func contents(limit: Int) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
        defer { chunk.deallocate() }
        while true {
            let count = try read(into: chunk)
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else { throw Errno(rawValue: EFBIG) }
            bytes.append(contentsOf: chunk[..<count])
        }
    }
}
