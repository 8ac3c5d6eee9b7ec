import Linux
import MountFixtures
import SystemPackage

import CLinux
import Glibc

/// Does operations on the files of one directory and on the model of them, and compares what comes back.
final class DataRunner {
    private final class Slot {
        let fd: OwnedFD
        let file: ModelFile
        let access: DataOperation.Access
        var map: UnsafeMutableRawBufferPointer?

        init(_ fd: consuming OwnedFD, _ file: ModelFile, _ access: DataOperation.Access) {
            self.fd = fd
            self.file = file
            self.access = access
        }

        var isWritable: Bool { access != .read }

        deinit { if let map { munmap(map.baseAddress, map.count) } }
    }

    private static let mapLength = 1 << 19
    /// Otherwise FALLOC_FL_ZERO_RANGE may be refused.
    var zeroesRanges = true
    private let directory: String
    private let remount: () throws -> Void
    private let names: [String]
    private var files: [ModelFile?]
    private var slots: [Slot?] = Array(repeating: nil, count: DataOperations.slots)

    /// - Parameters:
    ///   - files: what is there; nil for a name that is not.
    ///   - remount: called with nothing open.
    init(_ directory: String, files: [(name: String, bytes: [UInt8]?)], remount: @escaping () throws -> Void)
    {
        (self.directory, self.remount) = (directory, remount)
        names = files.map(\.name)
        self.files = files.map { $0.bytes.map { ModelFile($0) } }
    }

    /// nil when everything was as in the model, to the end and in the end.
    func run(_ operations: [DataOperation]) throws -> Difference? {
        for (number, operation) in operations.enumerated() {
            if let problem = try perform(operation) {
                return Difference(count: number + 1, description: "\(operation): \(problem)")
            }
        }
        for file in files.indices {
            guard let problem = try check(file) else { continue }
            return Difference(count: operations.count, description: "in the end, \(names[file]): \(problem)")
        }
        return nil
    }

    func closeAll() { slots = Array(repeating: nil, count: DataOperations.slots) }

    private func perform(_ operation: DataOperation) throws -> String? {
        switch operation {
        case .open(let slot, let file, let access): return open(slot, file, access)
        case .close(let slot): slots[slot] = nil
        case .unlink(let file):
            let result = unlink(path(file)) == 0 ? nil : Errno.last
            let expected: Errno? = files[file] == nil ? .noSuchFileOrDirectory : nil
            files[file] = nil
            return compare(result, expected)
        case .check(let file): return try check(file)
        case .remount:
            closeAll()
            try remount()
        case .copy(let from, let offset, let to, let target, let count):
            guard let from = slots[from], let to = slots[to] else { return nil }
            return copy(from, offset, to, target, count)
        case .read(let slot, let offset, let count):
            guard let slot = slots[slot] else { return nil }
            return compare(contents(slot.fd, offset, count), slot.file.read(offset, count), from: offset)
        case .write(let slot, let offset, let count, let fill):
            guard let slot = slots[slot] else { return nil }
            return write(slot, offset, count, fill)
        case .truncate(let slot, let size):
            guard let slot = slots[slot] else { return nil }
            let result = slot.fd.use { ftruncate($0, size) } == 0 ? nil : Errno.last
            if slot.isWritable { slot.file.truncate(to: size) }
            return compare(result, slot.isWritable ? nil : .invalidArgument)
        case .allocate(let slot, let mode, let offset, let length):
            guard let slot = slots[slot] else { return nil }
            return allocate(slot, mode, offset, length)
        case .seek(let slot, let offset, let forData):
            guard let slot = slots[slot] else { return nil }
            return seek(slot, offset, forData: forData)
        case .map(let slot):
            guard let slot = slots[slot], slot.map == nil else { return nil }
            let protection = slot.isWritable ? PROT_READ | PROT_WRITE : PROT_READ
            let start = slot.fd.use { mmap(nil, DataRunner.mapLength, protection, MAP_SHARED, $0, 0) }
            guard let start, start != MAP_FAILED else { return "mmap: \(Errno.last)" }
            slot.map = UnsafeMutableRawBufferPointer(start: start, count: DataRunner.mapLength)
        case .readMap(let slot, let offset, let count):
            guard let slot = slots[slot], let map = slot.map else { return nil }
            if let problem = size(slot) { return problem }
            let expected = slot.file.read(offset, count)
            return compare(.success(Array(map[offset..<offset + expected.count])), expected, from: offset)
        case .writeMap(let slot, let offset, let count, let fill, let isSynchronous):
            guard let slot = slots[slot], let map = slot.map, slot.isWritable else { return nil }
            if let problem = size(slot) { return problem }
            let count = slot.file.read(offset, count).count
            let data = ModelFile.pattern(fill, at: offset, count: count)
            UnsafeMutableRawBufferPointer(rebasing: map[offset..<offset + count]).copyBytes(from: data)
            slot.file.write(data, at: offset)
            slot.file.isDirty = true
            if isSynchronous, msync(map.baseAddress, map.count, MS_SYNC) != 0 {
                return "msync: \(Errno.last)"
            }
        case .synchronize(let slot, let dataOnly):
            guard let slot = slots[slot] else { return nil }
            let result = slot.fd.use { dataOnly ? fdatasync($0) : fsync($0) }
            return compare(result == 0 ? nil : Errno.last, nil)
        case .dropCache(let slot):
            guard let slot = slots[slot] else { return nil }
            _ = slot.fd.use { posix_fadvise($0, 0, 0, POSIX_FADV_DONTNEED) }
        }
        return nil
    }

    private func path(_ file: Int) -> String { "\(directory)/\(names[file])" }

    private func open(_ slot: Int, _ file: Int, _ access: DataOperation.Access) -> String? {
        let flags: CInt =
            switch access {
            case .read: O_RDONLY
            case .write: O_RDWR
            case .append: O_RDWR | O_APPEND
            case .truncate: O_RDWR | O_TRUNC
            }
        slots[slot] = nil
        let fd = Glibc.open(path(file), flags | O_CREAT | O_CLOEXEC, 0o644)
        guard fd >= 0 else { return "open: \(Errno.last)" }
        let model = files[file] ?? ModelFile()
        files[file] = model
        if access == .truncate { model.truncate(to: 0) }
        slots[slot] = Slot(OwnedFD(adopting: fd), model, access)
        return nil
    }

    private func write(_ slot: Slot, _ offset: Int, _ count: Int, _ fill: UInt8) -> String? {
        // pwrite(2) appends for O_APPEND, whatever the offset.
        let start = slot.access == .append ? slot.file.bytes.count : offset
        guard start + count <= 1 << 20 else { return nil }
        let data = ModelFile.pattern(fill, at: start, count: count)
        let written = slot.fd.use { pwrite($0, data, count, offset) }
        guard slot.isWritable else { return compare(written == -1 ? Errno.last : nil, .badFileDescriptor) }
        guard written == count else { return "wrote \(written) of \(count): \(Errno.last)" }
        slot.file.write(data, at: start)
        return nil
    }

    private func allocate(_ slot: Slot, _ mode: CInt, _ offset: Int, _ length: Int) -> String? {
        let code = slot.fd.use { clinux_fallocate($0, mode, Int64(offset), Int64(length)) }
        let result = code < 0 ? Errno(rawValue: -code) : nil
        guard length > 0 else { return compare(result, .invalidArgument) }
        guard slot.isWritable else { return compare(result, .badFileDescriptor) }
        // fs/fuse/file.c passes neither FALLOC_FL_COLLAPSE_RANGE nor FALLOC_FL_INSERT_RANGE on.
        guard mode & 0x28 == 0 else { return compare(result, .notSupported) }
        if !zeroesRanges, mode & 0x10 != 0, result == .notSupported { return nil }
        slot.file.allocate(mode: mode, offset: offset, length: length)
        return compare(result, nil)
    }

    private func copy(_ from: Slot, _ offset: Int, _ to: Slot, _ target: Int, _ count: Int) -> String? {
        var (source, destination) = (Int64(offset), Int64(target))
        let code = from.fd.use { input in
            to.fd.use { clinux_copy_file_range(input, &source, $0, &destination, UInt64(count)) }
        }
        guard to.access == .write || to.access == .truncate else {
            return compare(code < 0 ? Errno(rawValue: CInt(-code)) : nil, .badFileDescriptor)
        }
        let data = Array(from.file.read(offset, count))
        // The kernel shortens the range to the file before it looks whether source and target overlap.
        if from.file === to.file, offset < target + data.count, target < offset + data.count, !data.isEmpty {
            return compare(code < 0 ? Errno(rawValue: CInt(-code)) : nil, .invalidArgument)
        }
        guard code >= 0, code <= data.count, code > 0 || data.isEmpty else {
            return "copied \(code) of \(data.count)"
        }
        to.file.write(data.prefix(Int(code)), at: target)
        return nil
    }

    private func seek(_ slot: Slot, _ offset: Int, forData: Bool) -> String? {
        // The kernel asks FUSE where data is without writing back what is dirty (fs/fuse/file.c, fuse_lseek).
        if slot.file.isDirty, slot.fd.use({ fsync($0) }) != 0 { return "fsync: \(Errno.last)" }
        slot.file.isDirty = false
        let found = slot.fd.use { lseek($0, offset, forData ? SEEK_DATA : SEEK_HOLE) }
        let size = slot.file.bytes.count
        guard offset < size else {
            return compare(found == -1 ? Errno.last : nil, .noSuchAddressOrDevice)
        }
        guard forData else {
            return found >= offset && found <= size ? nil : "the hole is at \(found), the size \(size)"
        }
        if found == -1, Errno.last != .noSuchAddressOrDevice { return "\(Errno.last)" }
        let end = found == -1 ? size : found
        guard end >= offset, end <= size else { return "the data is at \(found), the size \(size)" }
        // What is skipped must be zeros, wherever they come from.
        return slot.file.bytes[offset..<end].allSatisfy { $0 == 0 } ? nil : "data before \(end) was skipped"
    }

    private func size(_ slot: Slot) -> String? {
        var status = FileStatus()
        guard slot.fd.use({ fstat($0, &status) }) == 0 else { return "fstat: \(Errno.last)" }
        let size = slot.file.bytes.count
        return Int(status.st_size) == size ? nil : "st_size is \(status.st_size), not \(size)"
    }

    private func check(_ file: Int) throws -> String? {
        let fd = Glibc.open(path(file), O_RDONLY | O_CLOEXEC)
        guard let model = files[file] else {
            guard fd >= 0 else { return compare(Errno.last, .noSuchFileOrDirectory) }
            close(fd)
            return "is there"
        }
        guard fd >= 0 else { return "open: \(Errno.last)" }
        let slot = Slot(OwnedFD(adopting: fd), model, .read)
        return size(slot) ?? compare(contents(slot.fd, 0, model.bytes.count + 1), model.bytes[...], from: 0)
    }

    private func contents(_ fd: borrowing OwnedFD, _ offset: Int, _ count: Int) -> Result<[UInt8], Errno> {
        var buffer = [UInt8](repeating: 0xaa, count: count)
        let got = fd.use { pread($0, &buffer, count, offset) }
        return got == -1 ? .failure(.last) : .success(Array(buffer.prefix(got)))
    }

    private func compare(_ found: Errno?, _ expected: Errno?) -> String? {
        found == expected
            ? nil : "\(found.map { "\($0)" } ?? "success"), not \(expected.map { "\($0)" } ?? "success")"
    }

    private func compare(_ found: Result<[UInt8], Errno>, _ expected: ArraySlice<UInt8>, from: Int) -> String?
    {
        switch found {
        case .failure(let errno): return "\(errno)"
        case .success(let bytes):
            if bytes.elementsEqual(expected) { return nil }
            guard bytes.count == expected.count else { return "\(bytes.count) bytes, not \(expected.count)" }
            let first = zip(bytes, expected).prefix { $0 == $1 }.count
            let last = zip(bytes, expected).reversed().prefix { $0 == $1 }.count
            return "bytes \(from + first) to \(from + bytes.count - last - 1) differ:"
                + " \(bytes[first]) at first, not \(expected[expected.startIndex + first])"
        }
    }
}
