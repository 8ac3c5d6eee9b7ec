import Linux
import Synchronization

import Glibc

/// Takes out of memory what has been read of packs, where whoever read it caches it too.
///
/// By windows, because the kernel keeps pages in larger pieces, which go only whole: a window goes when nearly all of
/// it has been read. What is read again in between counts again, and costs a page from the disk at worst.
final class PackWindows: Sendable {
    /// Bytes: as far as the kernel reads ahead, and so as its pieces can be long. Pieces lie at multiples of their size.
    private static let size: UInt64 = 128 << 10
    /// Of a window; the rest may be no file's any more.
    private static let enough = size / 8 * 7

    private struct Window: Hashable {
        let pack: UInt16
        let number: UInt64
    }

    /// Bytes that were read, of windows that are not done.
    private let consumed = Mutex<[Window: UInt64]>([:])

    /// All of `count` bytes from `start` of a pack has been read, through `file`.
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
