import Linux
import SystemPackage

import CLinux
import Glibc

/// /etc/passwd and /etc/group of an image: untrusted, so they are read only if they are regular files, up to a
/// limit, line by line and without copying fields that are not needed.
enum AccountFile {
    static let limit = 16 << 20
    /// More than a group of 100,000 members has.
    static let longestLine = 1 << 20

    /// Calls `body` with each line until it returns false. A missing file has no lines. A line that is too long is
    /// skipped (`passingOver`), or a Failure.
    static func forEachLine(
        of path: FilePath,
        root: borrowing OwnedFD,
        passingOverLongLines passingOver: Bool = false,
        _ body: (borrowing Line) throws -> Bool
    ) throws {
        do {
            // Checked before it is opened, because opening a device has effects, and the kernel's own files, which
            // may look regular, would be read with the rights of this process.
            let place = try root.open(inRoot: path, CInt(CLINUX_O_PATH))
            guard try place.status().st_mode & Glibc.S_IFMT == Glibc.S_IFREG,
                !ofTheKernel.contains(place.use { clinux_filesystem_type($0) })
            else {
                throw Failure("\(path) in the container is not a file")
            }
            try read(try place.reopened(O_RDONLY), path, passingOver, body)
        } catch Errno.noSuchFileOrDirectory {
        } catch Errno.notDirectory {
        } catch let errno as Errno {
            throw Failure("read \(path) in the container", errno)
        }
    }

    /// proc, sysfs, cgroup, cgroup2, debugfs, tracefs, securityfs, bpf, configfs, pstore, efivarfs, mqueue, nsfs.
    private static let ofTheKernel: [Int64] = [
        0x9fa0, 0x6265_6572, 0x27_e0eb, 0x6367_7270, 0x6462_6720, 0x7472_6163, 0x7363_6673, 0xcafe_4a11,
        0x6265_6570,
        0x6165_676c, 0xde5e_81e4, 0x1980_0202, 0x6e73_6673,
    ]

    private static func read(
        _ file: borrowing OwnedFD,
        _ path: FilePath,
        _ passingOver: Bool,
        _ body: (borrowing Line) throws -> Bool
    ) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: longestLine, alignment: 16)
        defer { buffer.deallocate() }
        // How much of the buffer holds the beginning of a line, and how much has been read.
        var used = 0
        var total = 0
        var isWithinLongLine = false
        while true {
            let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[used...]))
            total += count
            guard total <= limit else { throw Errno(rawValue: EFBIG) }
            var rest = UnsafeRawBufferPointer(rebasing: buffer[..<(used + count)])
            while let length = rest.length(until: UInt8(ascii: "\n")) {
                let isWanted = !isWithinLongLine
                isWithinLongLine = false
                guard try !isWanted || body(Line(UnsafeRawBufferPointer(rebasing: rest[..<length]))) else {
                    return
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[(length + 1)...])
            }
            guard count > 0 else {
                if !rest.isEmpty, !isWithinLongLine { _ = try body(Line(rest)) }
                return
            }
            if rest.count == buffer.count {
                guard passingOver else {
                    throw Failure("\(path) in the container has a line of more than \(longestLine) bytes")
                }
                isWithinLongLine = true
            }
            used = isWithinLongLine ? 0 : rest.count
            if let target = buffer.baseAddress, let start = rest.baseAddress { memmove(target, start, used) }
        }
    }

    /// A line of fields between colons.
    struct Line: ~Copyable {
        private let bytes: UnsafeRawBufferPointer
        init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

        /// nil where there are fewer fields.
        func field(_ number: Int) -> Field? {
            var rest = bytes
            for _ in 0..<number {
                guard let length = rest.length(until: UInt8(ascii: ":")) else { return nil }
                rest = UnsafeRawBufferPointer(rebasing: rest[(length + 1)...])
            }
            let end = rest.length(until: UInt8(ascii: ":")) ?? rest.count
            return Field(bytes: UnsafeRawBufferPointer(rebasing: rest[..<end]))
        }
    }

    /// Valid as long as its line.
    struct Field {
        fileprivate let bytes: UnsafeRawBufferPointer

        var isEmpty: Bool { bytes.isEmpty }
        var text: [UInt8] { Array(bytes) }
        /// A decimal ID; nil for anything else.
        var id: UInt32? { AccountFile.number(bytes) }

        func equals(_ other: [UInt8]) -> Bool { bytes.count == other.count && bytes.elementsEqual(other) }

        /// Whether `name` is in this comma-separated list.
        func lists(_ name: [UInt8]) -> Bool {
            var rest = bytes
            while true {
                let end = rest.length(until: UInt8(ascii: ",")) ?? rest.count
                if Field(bytes: UnsafeRawBufferPointer(rebasing: rest[..<end])).equals(name) { return true }
                guard end < rest.count else { return false }
                rest = UnsafeRawBufferPointer(rebasing: rest[(end + 1)...])
            }
        }
    }

    /// An ID from 0 to 2³¹-1, as in docker: (uid_t)-1 would mean "unchanged" to setresuid(2). Leading zeros don't
    /// count. nil for anything else.
    static func number(_ digits: some Collection<UInt8>) -> UInt32? {
        guard !digits.isEmpty else { return nil }
        var value: UInt32 = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            let (tens, isTooMuch) = value.multipliedReportingOverflow(by: 10)
            guard !isTooMuch, tens <= UInt32(Int32.max) else { return nil }
            value = tens + UInt32(digit - 0x30)
            guard value <= UInt32(Int32.max) else { return nil }
        }
        return value
    }
}

extension UnsafeRawBufferPointer {
    /// The number of bytes before the first `byte`; nil without one.
    fileprivate func length(until byte: UInt8) -> Int? {
        guard let start = baseAddress, let found = memchr(start, CInt(byte), count) else { return nil }
        return UnsafeRawPointer(found) - start
    }
}
