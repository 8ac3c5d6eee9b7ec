package import SystemPackage

import Glibc
import Linux

/// What happened in a store, for `mica events`. Every process that changes the store appends to it.
///
/// It is told, not recorded for ever: an event that can't be written (the disk is full) is lost, and nothing waits for
/// a disk.
package struct EventLog: Sendable {
    private let directory: FilePath

    /// `directory`: made with the first event.
    package init(_ directory: FilePath) { self.directory = directory }

    package func record(_ event: StoreEvent) {
        let line = Array((event.json + "\n").utf8)
        // Another process may begin the next file meanwhile, again and again.
        for _ in 0..<8 {
            guard let number = newest() else { return }
            if append(line, to: number) { return }
        }
    }

    /// The number of the file to append to. nil: there can be none.
    private func newest() -> Int? {
        if let last = EventFiles.numbers(in: directory).last { return last }
        do throws(Errno) {
            try directory.makeDirectory(mode: 0o700)
        } catch {
            guard error == .fileExists else { return nil }
        }
        return EventFiles.numbers(in: directory).last ?? 1
    }

    /// False where the file has a successor by now.
    private func append(_ line: [UInt8], to number: Int) -> Bool {
        let flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK
        guard let file = try? OwnedFD.open(EventFiles.path(number, in: directory), flags, mode: 0o600),
            file.isRegularFile, let size = try? file.status().st_size
        else { return true }
        if UInt64(clamping: size) + UInt64(line.count) > EventFiles.limit, size > 0,
            beginNext(after: number, file)
        {
            return false
        }
        waitForLock(file)
        if hasNext(number) { return false }
        let bytes = endsLine(file) ? line : [0x0a] + line
        // One write, so that lines of several processes do not mix.
        _ = bytes.withUnsafeBytes { bytes in file.use { write($0, bytes.baseAddress, bytes.count) } }
        return true
    }

    /// False where the last line was cut, by a full disk or a power cut.
    private func endsLine(_ file: borrowing OwnedFD) -> Bool {
        guard let size = try? file.status().st_size, size > 0 else { return true }
        var last: UInt8 = 0
        return file.use { pread($0, &last, 1, size - 1) } != 1 || last == 0x0a
    }

    /// A process that has the lock keeps it for a few microseconds; one that is stopped meanwhile must not keep all
    /// others from their work, so after a tenth of a second the line is written without the lock.
    private func waitForLock(_ file: borrowing OwnedFD) {
        for _ in 0..<100 {
            if file.use({ flock($0, LOCK_SH | LOCK_NB) }) == 0 { return }
            usleep(1000)
        }
    }

    /// Makes the next file, and removes the oldest. False where another process writes to this one: there will be
    /// another opportunity.
    private func beginNext(after number: Int, _ file: borrowing OwnedFD) -> Bool {
        guard file.use({ flock($0, LOCK_EX | LOCK_NB) }) == 0 else { return hasNext(number) }
        defer { _ = file.use { flock($0, LOCK_UN) } }
        if hasNext(number) { return true }
        let path = EventFiles.path(number + 1, in: directory)
        guard (try? OwnedFD.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)) != nil else { return false }
        for old in EventFiles.numbers(in: directory) where old <= number + 1 - EventFiles.kept {
            try? EventFiles.path(old, in: directory).unlink()
        }
        return true
    }

    private func hasNext(_ number: Int) -> Bool { EventFiles.path(number + 1, in: directory).exists }
}
