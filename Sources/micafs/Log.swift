import Glibc
import Linux
import SystemPackage

/// The daemon's log: a line an event, appended, so that several daemons may share a file.
final class Log: Sendable {
    private let fd: OwnedFD
    private let name: String

    /// stderr without a path.
    init(_ path: FilePath?, name: String) throws {
        if let path {
            fd = try naming("open the log \(path)") {
                try OwnedFD.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
            }
        } else {
            fd = try naming("duplicate stderr") { OwnedFD(adopting: try Errno.check(dup(2))) }
        }
        self.name = name
    }

    func write(_ message: String) {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        func two(_ number: CInt) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let stamp =
            "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
        // A full disk must not end the daemon.
        try? fd.writeAll(Array("\(stamp) micafs[\(getpid())] \(name): \(message)\n".utf8))
    }
}
