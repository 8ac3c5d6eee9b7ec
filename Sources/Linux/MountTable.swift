package import SystemPackage

import Glibc

/// The mounts that this process sees at one moment: /proc/self/mountinfo.
package struct MountTable: Sendable {
    package struct Entry: Sendable, Equatable {
        package var target: FilePath
        /// "fuse.mica", "overlay" …
        package var type: String
        package var source: String
        /// `major:minor` of st_dev.
        package var device: String
        /// The filesystem's own options, such as "rw,cpu,cpuacct".
        package var options: String

        package init(
            target: FilePath,
            type: String,
            source: String,
            device: String = "",
            options: String = ""
        ) {
            self.target = target
            self.type = type
            self.source = source
            self.device = device
            self.options = options
        }
    }

    /// In the order of mounting: of two at the same place, the later one is on top.
    package let entries: [Entry]

    /// Empty where it can't be read. `types`: only mounts of these types; without any, all mounts.
    package static func current(ofType types: String...) -> MountTable {
        let bytes = try? OwnedFD.open("/proc/self/mountinfo", O_RDONLY).contents(limit: 64 << 20)
        return MountTable(parsing: bytes ?? [], types: types)
    }

    /// `bytes`: the text of a mountinfo file. Malformed lines are left out. `types`: as for `current`.
    package init(parsing bytes: [UInt8], types: [String] = []) {
        let wanted = types.map { Array($0.utf8) }
        entries = bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            // Checked first, because parsing a line takes longer.
            guard
                wanted.isEmpty
                    || wanted.contains(where: { MountTable.type(of: line)?.elementsEqual($0) == true })
            else { return nil }
            let fields = line.split(separator: UInt8(ascii: " "))
            // Any number of optional fields comes before the hyphen.
            guard fields.count > 6, let hyphen = fields[6...].firstIndex(of: [UInt8(ascii: "-")]),
                hyphen + 2 < fields.count
            else { return nil }
            return Entry(
                target: FilePath(
                    platformString: MountTable.unescaped(fields[4]).map { CChar(bitPattern: $0) } + [0]
                ),
                type: String(decoding: fields[hyphen + 1], as: UTF8.self),
                source: String(decoding: MountTable.unescaped(fields[hyphen + 2]), as: UTF8.self),
                device: String(decoding: fields[2], as: UTF8.self),
                options: hyphen + 3 < fields.count ? String(decoding: fields[hyphen + 3], as: UTF8.self) : ""
            )
        }
    }

    /// Where a mountinfo file, of any length, says that the filesystem with the number `device` is mounted: the last
    /// such place. `sawAny`: whether there was any line. Ends early when `isLate`.
    static func place(
        of device: String,
        in file: borrowing OwnedFD,
        isLate: () -> Bool
    ) -> (place: FilePath?, sawAny: Bool) {
        let wanted = Array(device.utf8)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
        defer { buffer.deallocate() }
        var found: [UInt8] = []
        // How much of the buffer holds the beginning of a line.
        var used = 0
        var sawAny = false
        guard let base = buffer.baseAddress else { return (nil, false) }
        while !isLate(), used < buffer.count,
            let count = try? file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[used...])),
            count > 0
        {
            sawAny = true
            let end = used + count
            var start = 0
            while let newline = memchr(base + start, CInt(UInt8(ascii: "\n")), end - start) {
                let next = UnsafeRawPointer(newline) - UnsafeRawPointer(base) + 1
                if MountTable.isOf(wanted, UnsafeRawBufferPointer(rebasing: buffer[start..<next])) {
                    found = Array(buffer[start..<next])
                }
                start = next
            }
            used = end - start
            memmove(base, base + start, used)
        }
        return (MountTable(parsing: found).entries.first { $0.device == device }?.target, sawAny)
    }

    /// Whether the third field is `device`.
    private static func isOf(_ device: [UInt8], _ line: UnsafeRawBufferPointer) -> Bool {
        guard let start = line.baseAddress else { return false }
        let blank = CInt(UInt8(ascii: " "))
        var field = start
        for _ in 0..<2 {
            guard let next = memchr(field, blank, line.count - (field - start)) else { return false }
            field = UnsafeRawPointer(next) + 1
        }
        let rest = line.count - (field - start)
        return rest > device.count && memcmp(field, device, device.count) == 0
            && field.load(fromByteOffset: device.count, as: UInt8.self) == UInt8(ascii: " ")
    }

    /// The first field after the hyphen. Blanks in names are escaped.
    private static func type(of line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var blank = line.startIndex
        while let next = line[blank...].dropFirst().firstIndex(of: UInt8(ascii: " ")) {
            if next == blank + 2, line[blank + 1] == UInt8(ascii: "-") {
                return line[(next + 1)...].prefix { $0 != UInt8(ascii: " ") }
            }
            blank = next
        }
        return nil
    }

    /// The mount points on `directory` or below it, each once, sorted by name.
    package func targets(below directory: FilePath) -> [FilePath] {
        let found = entries.map(\.target).filter { $0.starts(with: directory) }
        return Set(found).sorted { $0.string < $1.string }
    }

    /// The topmost mount at a path.
    package func top(at target: FilePath) -> Entry? { entries.last { $0.target == target } }

    /// Whether the topmost mount at `target` is a micafs mount whose micafs is gone, so that only unmounting helps.
    ///
    /// Don't ask about a mount that is served: a daemon that hangs would hang the caller as well.
    package func isDead(_ target: FilePath) -> Bool {
        top(at: target)?.type == "fuse.mica" && MountTable.isOrphan(target)
    }

    /// Whether `target` is in a FUSE mount, of any program, whose daemon is gone. A daemon that hangs hangs the
    /// caller.
    package static func isOrphan(_ target: FilePath) -> Bool {
        var status = statvfs()
        let result = target.withPlatformString { statvfs($0, &status) }
        return result == -1 && [.socketNotConnected, .connectionAbort].contains(Errno.last)
    }

    /// The kernel writes blanks and backslashes as three octal digits.
    private static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}
