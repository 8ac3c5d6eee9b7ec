import CFUSE
import FUSE
import Glibc
import Linux
import SystemPackage

/// Going to the background: the caller gets its prompt back when the mount answers, not earlier.
final class Daemon: Sendable {
    private let pipe: OpenFile
    /// Its messages go through the pipe, too, until requests are served.
    private let log: Log?

    private init(pipe: consuming OwnedFD, _ log: Log?) {
        self.pipe = OpenFile(pipe)
        self.log = log
        log?.tell(self.pipe)
    }

    /// Forks, and returns in the child. The parent waits until the child serves, looks up the mount itself, and
    /// exits with 0 when it answered. It closes its /dev/fuse, so that a dead child can't leave it waiting.
    /// Precondition: the process has one thread, which takes no lock of Swift's afterwards in the child.
    static func detach(whenReadyAt target: FilePath, _ session: Session, _ log: Log) throws -> Daemon {
        let pipe = try naming("make a pipe") { try Pipe() }
        let pid = cfuse_fork()
        guard pid >= 0 else { throw Failure("fork", Errno(rawValue: -pid)) }
        if pid > 0 { watch(pipe, target, session) }
        setsid()
        return try Daemon(pipe: naming("duplicate a pipe") { try pipe.write.duplicate() }, log).withdrawn()
    }

    /// Makes this process the daemon, because it was started as one.
    static func become(reportingTo ready: CInt) throws -> Daemon {
        try Daemon(pipe: OwnedFD(adopting: ready), nil).withdrawn()
    }

    /// Occurs in no message.
    private static let ready: UInt8 = 1

    /// Tells the waiting parent, once, that requests are served from now on. If the parent is gone, no user knows of
    /// the mount: it is unmounted.
    func report(_ session: Session) {
        log?.tell(nil)
        do { try pipe.fd.writeAll([Daemon.ready]) } catch { try? session.unmount() }
    }

    /// Lets go of the working directory and the standard streams.
    private func withdrawn() throws -> Daemon {
        chdir("/")
        let null = try naming("open /dev/null") { try OwnedFD.open("/dev/null", O_RDWR) }
        for standard in [CInt(0), 1, 2] { dup2(null.raw, standard) }
        return self
    }

    private static func watch(_ pipe: consuming Pipe, _ target: FilePath, _ session: Session) -> Never {
        close(session.device)
        let end = pipe.takeReadEnd()
        var text: [UInt8] = []
        var byte: UInt8 = 0
        while read(end.raw, &byte, 1) == 1, byte != ready { text.append(byte) }
        do {
            guard byte == ready else {
                // The child closes the pipe before it reports what failed, so its message comes first.
                waitpid(-1, nil, 0)
                let reason = text.isEmpty ? "" : ": \(String(decoding: text.dropLast(), as: UTF8.self))"
                throw Failure("the daemon for \(target) ended before the mount answered\(reason)")
            }
            do {
                _ = try target.status()
            } catch {
                throw Failure("the mount at \(target)", error, advice: "The log (--log, or syslog) says why.")
            }
            _exit(0)
        } catch {
            complain("\(error)")
            try? session.unmount()
            _exit(1)
        }
    }
}

func complain(_ message: String) {
    let line = Array("micafs: \(Printable.text(message, lines: true))\n".utf8)
    _ = write(2, line, line.count)
}
