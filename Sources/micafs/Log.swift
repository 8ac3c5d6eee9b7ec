import Glibc
import Linux
import Synchronization
import SystemPackage

/// The daemon's log: one line for each event, appended, so that several daemons may share a file.
final class Log: Sendable {
    private enum Place: Sendable {
        case file(OpenFile)
        case syslog
    }

    private let place: Place
    private let name: String
    /// The process that waits for the mount, and is told as well.
    private let waiting = Mutex<OpenFile?>(nil)

    /// Logs to a file, or to stderr in the foreground. A daemon must not keep stderr open, because the process that
    /// started it may read that to its end. So without a file it logs to syslog.
    init(_ path: FilePath?, name: String, isForeground: Bool) throws {
        if let path {
            let fd = try naming("open the log \(path)") {
                try OwnedFD.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
            }
            place = .file(OpenFile(fd))
        } else if isForeground {
            place = .file(
                OpenFile(try naming("duplicate stderr") { OwnedFD(adopting: try Errno.check(dup(2))) })
            )
        } else {
            place = .syslog
        }
        self.name = name
    }

    /// Sends messages to `pipe` as well; nil ends that.
    func tell(_ pipe: OpenFile?) { waiting.withLock { $0 = pipe } }

    func write(_ message: String) {
        waiting.withLock { _ = try? $0?.fd.writeAll(Array("\(Printable.text(message))\n".utf8)) }
        let message = Printable.text("\(name): \(message)")
        guard case .file(let file) = place else {
            "micafs[\(getpid())] \(message)".withCString { text in
                withVaList([text]) { vsyslog(LOG_DAEMON | LOG_ERR, "%s", $0) }
            }
            return
        }
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        func two(_ number: CInt) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let stamp =
            "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
        // A full disk must not end the daemon.
        try? file.fd.writeAll(Array("\(stamp) micafs[\(getpid())] \(message)\n".utf8))
    }
}
