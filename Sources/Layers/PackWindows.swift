import Linux
import Synchronization

import Glibc

/// Drops what has been read of packs from the page cache, where the reader caches it too.
///
/// It works by windows, because the kernel keeps pages in larger pieces and drops only whole ones: a window is
/// dropped when nearly all of it has been read. Bytes that are read again count again, and cost at worst a page from
/// the disk.
final class PackWindows: Sendable {
    /// In bytes: as far as the kernel reads ahead, and so as large as its pieces can be. Pieces lie at multiples of
    /// their size.
    private static let size: UInt64 = 128 << 10
    /// How much of a window must be read; the rest may belong to no file any more.
    private static let enough = size / 8 * 7

    private struct Window: Hashable {
        let pack: UInt16
        let number: UInt64
    }

    /// How many bytes were read, of windows that are not done.
    private let consumed = Mutex<[Window: UInt64]>([:])

    /// Records that `count` bytes from `start` of a pack have been read, through `file`.
    func note(pack: UInt16, _ file: OpenFile, from start: UInt64, count: UInt64) {
        let end = start + count
        var position = start
        while position < end {
            let window = Window(pack: pack, number: position / Self.size)
            let next = min(end, (window.number + 1) * Self.size)
            let bytes = next - position
            let isDone = consumed.withLock { consumed in
                let sum = consumed[window, default: 0] + bytes
                consumed[window] = sum < Self.enough ? sum : nil
                return sum >= Self.enough
            }
            if isDone {
                _ = file.fd.use {
                    posix_fadvise($0, off_t(window.number * Self.size), off_t(Self.size), POSIX_FADV_DONTNEED)
                }
            }
            position = next
        }
    }
}
