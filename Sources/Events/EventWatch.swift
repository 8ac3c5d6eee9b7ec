import Glibc
import Linux
import SystemPackage

/// Waits for changes in the directory of an event log. Where inotify(7) can't be had (a user may have a limited number
/// of instances), it looks ten times a second.
struct EventWatch: ~Copyable {
    private let notifications: OwnedFD?

    init(_ directory: FilePath) {
        let raw = inotify_init1(CInt(IN_CLOEXEC | IN_NONBLOCK))
        guard raw >= 0 else {
            notifications = nil
            return
        }
        let mask = UInt32(IN_MODIFY | IN_CREATE)
        guard directory.withPlatformString({ inotify_add_watch(raw, $0, mask) }) >= 0 else {
            close(raw)
            notifications = nil
            return
        }
        notifications = OwnedFD(adopting: raw)
    }

    /// Returns after a change since the last call, or after `milliseconds`.
    func wait(milliseconds: Int32) {
        guard notifications != nil else {
            // The directory may be there by now; then its log is read at the next look.
            usleep(UInt32(clamping: min(max(milliseconds, 0), 100)) * 1000)
            return
        }
        notifications?.use { raw in
            var descriptor = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
            guard poll(&descriptor, 1, milliseconds) > 0 else { return }
            var buffer = [UInt8](repeating: 0, count: 4096)
            while Glibc.read(raw, &buffer, buffer.count) > 0 {}
        }
    }
}
