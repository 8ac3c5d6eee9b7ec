import Glibc
import Linux
import Synchronization
import SystemPackage

/// Whether a filesystem tells exactly which blocks of a file were written. Found out by trying, once: some answer
/// for larger pieces (tmpfs with huge pages), some not at all.
final class HoleProbe: Sendable {
    private enum State { static let unknown = 0, exact = 1, inexact = 2 }
    private let state = Atomic<Int>(State.unknown)

    /// Bytes: the unit to write in, for a file of this st_blksize.
    static func block(_ size: Int) -> UInt64 { UInt64(clamping: max(size, 4096)) }

    /// `work`: a directory on the filesystem. `name`: one that nothing has there.
    func isExact(in work: borrowing OwnedFD, _ name: @autoclosure () -> FileName) -> Bool {
        if state.load(ordering: .relaxed) == State.unknown {
            let isExact = (try? HoleProbe.test(work, name())) ?? false
            state.store(isExact ? State.exact : State.inexact, ordering: .relaxed)
        }
        return state.load(ordering: .relaxed) == State.exact
    }

    /// Zeros are written: they count as data.
    private static func test(_ work: borrowing OwnedFD, _ name: FileName) throws(Errno) -> Bool {
        let file = try work.open(name, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        try work.unlink(name)
        let block = block(Int(try file.status().st_blksize))
        // A power of two, so that no limit lies across a page.
        guard block <= 65536, block.nonzeroBitCount == 1 else { return false }
        try file.truncate(to: 8 << 20)
        // Neighbours on both sides in whatever larger piece there may be.
        let offset = (4 << 20) + block
        try [UInt8](repeating: 0, count: Int(block)).span.withUnsafeBytes {
            (zeros: UnsafeRawBufferPointer) throws(Errno) in
            try file.writeAll(zeros, at: offset)
        }
        let (start, end) = (try file.data(from: 0), try file.hole(from: offset))
        return start == offset && end == offset + block
    }
}

extension Upper {
    /// Whether a copy of a file of this mode may leave its data in the lower.
    func canLeaveData(_ mode: UInt32) -> Bool { copiesMetadataOnly && !losesSetID(mode) }

    /// Whether a copy of a file of this mode may have a part of its data.
    func canBePartial(_ mode: UInt32) -> Bool {
        canLeaveData(mode) && holes.isExact(in: work, temporaryName())
    }

    /// Bytes: see `PartialData.block`.
    func block(of status: FileStatus) -> UInt64 { HoleProbe.block(Int(status.st_blksize)) }
}
