import CFUSE
import FUSE
import Glibc
import Linux
import SystemPackage

/// The way to the background: the caller gets its prompt back when the mount answers, not earlier.
final class Daemon: Sendable {
    private let pipe: OpenFile
    /// What it says goes through the pipe, too, until requests are served.
    private let log: Log?

    private init(pipe: consuming OwnedFD, _ log: Log?) {
        self.pipe = OpenFile(pipe)
        self.log = log
        log?.tell(self.pipe)
    }

    /// Forks; returns in the child. The parent waits until the child serves, looks at the mount itself, and
    /// exits: 0 when it answered. Its /dev/fuse is closed there, so that a dead child cannot leave it waiting.
    /// Precondition: the process has one thread, which takes no lock of Swift's afterwards in the child.
    static func detach(whenReadyAt target: FilePath, _ session: Session, _ log: Log) throws -> Daemon {
        let pipe = try naming("make a pipe") { try Pipe() }
        let pid = cfuse_fork()
        guard pid >= 0 else { throw Failure("fork", Errno(rawValue: -pid)) }
        if pid > 0 { watch(pipe, target, session) }
        setsid()
        return try Daemon(pipe: naming("duplicate a pipe") { try pipe.write.duplicate() }, log).withdrawn()
    }

    /// This process, which somebody has started to be one.
    static func become(reportingTo ready: CInt) throws -> Daemon {
        try Daemon(pipe: OwnedFD(adopting: ready), nil).withdrawn()
    }

    /// In no message.
    private static let ready: UInt8 = 1

    /// Tells the one who waits that requests are served from now on. Once. Where nobody waits any more, nobody knows of
    /// the mount: it goes.
    func report(_ session: Session) {
        log?.tell(nil)
        do { try pipe.fd.writeAll([Daemon.ready]) } catch { try? session.unmount() }
    }

    /// Holds on to no directory and to nobody's streams.
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
                // It closes the pipe before it says what it could not do: its own words come first.
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
