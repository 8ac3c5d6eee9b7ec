package import SystemPackage

import CLinux
import Glibc

/// The micafs that serves a mount, found by its lock file.
///
/// It writes `PID DEVICE` into that file, the device as in mountinfo (`0:57`), and `writeback` behind them where the
/// kernel keeps back what is written to open files.
package struct MountDaemon: ~Copyable, Sendable {
    package let pid: Int32
    private let pidfd: OwnedFD

    /// nil where no process has the file locked, or none that wrote into it.
    package init?(holding lock: FilePath) {
        guard FileLock.isHeld(lock), let pid = MountDaemon.note(in: lock)?.pid else { return nil }
        let raw = clinux_pidfd_open(pid)
        guard raw >= 0 else { return nil }
        let opened = OwnedFD(adopting: raw)
        // The number may belong to another process by now, or to another PID namespace.
        guard MountDaemon.hasOpen(lock, pid) else { return nil }
        pidfd = opened
        self.pid = pid
    }

    /// The device number of the filesystem whose daemon holds, or held, `lock`: as in `MountTable.Entry.device`.
    package static func device(of lock: FilePath) -> String? { note(in: lock)?.device }

    /// Whether what was written to open files of the mount may be in the kernel's cache alone. False where no process
    /// has the file locked.
    package static func writesBack(_ lock: FilePath) -> Bool {
        FileLock.isHeld(lock) && note(in: lock)?.writesBack == true
    }

    /// Writes process, device and, perhaps, `writeback` into the lock file. `lock`: the locked descriptor of this process.
    package static func announce(
        _ device: String,
        writesBack: Bool,
        in lock: borrowing OwnedFD
    ) throws(Errno) {
        let text = Array("\(getpid()) \(device)\(writesBack ? " \(writebackWord)" : "")\n".utf8)
        try lock.truncate(to: 0)
        try text.span.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(Errno) in
            try lock.writeAll(bytes, at: 0)
        }
    }

    /// Makes it end the mount in every mount namespace that still shows it, once written data is in the upper. One
    /// that has ended is no error.
    package borrowing func end() { send(SIGQUIT) }

    /// Kills it without notice: written data that the kernel still holds is lost.
    package borrowing func kill() { send(SIGKILL) }

    private borrowing func send(_ signal: CInt) { _ = pidfd.use { clinux_pidfd_send_signal($0, signal) } }

    private static let writebackWord = "writeback"

    private static func note(in lock: FilePath) -> (pid: Int32, device: String, writesBack: Bool)? {
        guard let bytes = try? OwnedFD.open(lock, O_RDONLY).contents(limit: 256) else { return nil }
        let fields = String(decoding: bytes, as: UTF8.self).split { $0 == " " || $0 == "\n" }
        guard 2...3 ~= fields.count, let pid = Int32(fields[0]), pid > 0 else { return nil }
        return (pid, String(fields[1]), fields.last.map { $0 == writebackWord } ?? false)
    }

    private static func hasOpen(_ lock: FilePath, _ pid: Int32) -> Bool {
        let directory = FilePath("/proc/\(pid)/fd")
        guard let wanted = try? lock.status(), let name = lock.lastComponent?.string,
            let names = try? directory.names()
        else { return false }
        return names.contains { number in
            let link = directory.appending(String(decoding: number, as: UTF8.self))
            // Compares the name first: other files that are open there might be slow to answer.
            guard link.target.map({ String(decoding: $0, as: UTF8.self).hasSuffix(name) }) == true else {
                return false
            }
            var status = FileStatus()
            guard link.withPlatformString({ stat($0, &status) }) == 0 else { return false }
            return status.st_dev == wanted.st_dev && status.st_ino == wanted.st_ino
        }
    }
}
