package import Linux

import Glibc
import Synchronization
import SystemPackage

/// What the upper's filesystem can do for files that leave data in the lower, found out by trying, once.
final class HoleProbe: Sendable {
    private enum State {
        static let unknown = 0
        static let nothing = 1
        /// Files can have the union's marks.
        static let marks = 2
        /// The filesystem also tells exactly which blocks of a file were written. Some answer for larger pieces
        /// (tmpfs with huge pages), some not at all.
        static let blocks = 3
    }
    private let state = Atomic<Int>(State.unknown)

    /// The unit to write in, in bytes, for a file of this st_blksize.
    static func block(_ size: Int) -> UInt64 { UInt64(clamping: max(size, 4096)) }

    func canMark(_ upper: Upper) -> Bool { found(upper) >= State.marks }
    func tellsBlocks(_ upper: Upper) -> Bool { found(upper) == State.blocks }

    private func found(_ upper: Upper) -> Int {
        let known = state.load(ordering: .relaxed)
        guard known == State.unknown else { return known }
        do throws(Errno) {
            // A full disk says nothing about the filesystem.
            guard let found = try HoleProbe.test(upper) else { return State.marks }
            state.store(found, ordering: .relaxed)
            return found
        } catch {
            return State.nothing
        }
    }

    /// Writes zeros, which count as data. nil where there is no room for them.
    private static func test(_ upper: Upper) throws(Errno) -> Int? {
        let name = upper.temporaryName()
        let file = try upper.work.open(name, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        try upper.work.unlink(name)
        do throws(Errno) {
            try Xattr.set(upper.marks.metacopy, PartialMark.anybodys, of: file)
        } catch .notSupported {
            return State.nothing
        }
        let block = block(Int(try file.status().st_blksize))
        guard block <= 65536, block.nonzeroBitCount == 1 else { return State.marks }
        try file.truncate(to: 8 << 20)
        // With holes on both sides, within any larger piece.
        let offset = (4 << 20) + block
        do throws(Errno) {
            try [UInt8](repeating: 0, count: Int(block)).span.withUnsafeBytes {
                (zeros: UnsafeRawBufferPointer) throws(Errno) in
                try file.writeAll(zeros, at: offset)
            }
        } catch .noSpace {
            return nil
        }
        let (start, end) = (try file.data(from: 0), try file.hole(from: offset))
        return start == offset && end == offset + block ? State.blocks : State.marks
    }
}

extension Upper {
    /// Whether a copy of a file of this mode may leave its data in the lower.
    package func canLeaveData(_ mode: UInt32) -> Bool {
        copiesMetadataOnly && !losesSetID(mode) && holes.canMark(self)
    }

    /// Whether a copy of a file of this mode may have a part of its data.
    package func canBePartial(_ mode: UInt32) -> Bool { canLeaveData(mode) && holes.tellsBlocks(self) }

    /// In bytes: the unit in which written data is told from unwritten.
    package func block(of status: FileStatus) -> UInt64 { HoleProbe.block(Int(status.st_blksize)) }
}
