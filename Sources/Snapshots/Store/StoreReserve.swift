import Layers
import Linux
import SystemPackage

import Glibc

/// Room that the store keeps for the moment when there is none left: to take something away, the database needs some.
/// It is given back before that, and taken again as soon as there is room.
struct StoreReserve {
    /// Bytes: what a large removal changes of a database, and then some.
    static let size: UInt64 = 1 << 20
    private static let smallest: UInt64 = 64 << 10

    private let layout: StoreLayout

    init(_ layout: StoreLayout) { self.layout = layout }

    /// Makes it as large as there is room, at most `size`. Best effort.
    func fill() {
        if let known = try? layout.reserve.status(), UInt64(clamping: known.st_size) >= StoreReserve.size {
            return
        }
        guard let file = try? OwnedFD.open(layout.reserve, O_RDWR | O_CREAT, mode: 0o600) else { return }
        var size = StoreReserve.size
        while size >= StoreReserve.smallest {
            do throws(Errno) {
                return try file.allocate(size)
            } catch .notSupported {
                // Data that no filesystem makes smaller.
                try? file.writeAll(StoreReserve.noise)
                return
            } catch {
                size /= 2
            }
        }
        if let status = try? file.status(), status.st_size == 0 { try? layout.reserve.unlink() }
    }

    private static var noise: [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<size / 8).flatMap { _ in withUnsafeBytes(of: generator.next()) { Array($0) } }
    }

    /// Gives it back before the database is looked at, where that could end the process: on a full filesystem there may be
    /// no room for a page of a file that is mapped, as that of the database's locks is (SIGBUS). Whether it did.
    func releaseForMapping() -> Bool {
        guard let root = try? OwnedFD.open(layout.root, O_RDONLY | O_DIRECTORY) else { return false }
        // Btrfs, bcachefs, ZFS write nothing in place; elsewhere it is enough that the file has its blocks, and that there
        // are others: the first to open the database cuts the file to nothing and makes it again, a byte a page, which
        // asks for a part of the page where blocks are smaller, and what was cut off comes back with the journal only.
        let kinds: [Int64] = [0x9123_683e, 0xca45_1a4e, 0x2fc1_2fc1]
        let isInPlace = !kinds.contains(root.filesystemType)
        let locks = try? FilePath("\(layout.database.string)-shm").status()
        if isInPlace, let locks, locks.st_size > 0, locks.st_blocks * 512 >= locks.st_size,
            root.room.map({ $0 >= 8 * StoreReserve.size }) == true
        {
            return false
        }
        // A quota is not in what statvfs(2) says.
        do throws(Errno) {
            let probe = try OwnedFD.open(layout.root, O_RDWR | __O_TMPFILE | O_DIRECTORY, mode: 0o600)
            try probe.writeAll([UInt8](repeating: 0xff, count: Int(StoreReserve.smallest)))
            return false
        } catch {
            return error.isOutOfSpace && release()
        }
    }

    /// Gives it back; false where there was none.
    func release() -> Bool {
        guard layout.reserve.exists, (try? layout.reserve.unlink()) != nil else { return false }
        // What was deleted can be had with the journal's next commit.
        try? layout.root.synchronizeFilesystem()
        return true
    }

    /// Runs `body`, and again once the reserve was given back where there was no room for it. Afterwards as much of it
    /// as there is room for is taken again.
    func lending<R: ~Copyable>(_ body: () throws(Errno) -> R) throws(Errno) -> R {
        do throws(Errno) {
            return try body()
        } catch {
            guard error.isOutOfSpace, release() else { throw error }
            defer { fill() }
            return try body()
        }
    }

    /// The same for what the database does.
    func lendingToDatabase<R>(_ body: () throws -> R) throws -> R {
        do {
            return try body()
        } catch let failure as Failure where failure.kind == .noSpace {
            guard release() else { throw failure }
            defer { fill() }
            return try body()
        }
    }

    /// Blocks for the database's log, beyond its end: where data is overwritten in place, what is appended to the log
    /// up to there finds room on a full disk, whichever other process waits for some. Best effort.
    func fillLog() {
        let log = FilePath("\(layout.database.string)-wal")
        guard let file = try? OwnedFD.open(log, O_WRONLY), let status = try? file.status(),
            UInt64(clamping: status.st_blocks) * 512 < StoreReserve.size / 2
        else { return }
        try? file.allocate(StoreReserve.size, keepingSize: true)
    }
}
