import FUSE
import Glibc
import Linux
import Union

/// SIGTERM, SIGINT and SIGHUP unmount; the daemon ends when the last user is gone. SIGQUIT ends the mount for its
/// users, too.
enum Signals {
    private static let ending = [SIGTERM, SIGINT, SIGHUP, SIGQUIT]

    /// Blocks the signals for `unmountOnTermination`. Call it before there is a second thread, because threads
    /// inherit the mask.
    static func hold() {
        signal(SIGPIPE, SIG_IGN)
        // A write beyond the file size limit is reported to its caller: EFBIG.
        signal(SIGXFSZ, SIG_IGN)
        var set = ending.set
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits for the signals on a separate thread, because unmounting may run another program. Call it after the
    /// last fork.
    static func unmountOnTermination(_ session: Session, _ union: UnionTree, log: Log) {
        let thread = try? WorkerThread {
            var set = ending.set
            while true {
                var number: CInt = 0
                guard sigwait(&set, &number) == 0 else { continue }
                if number == SIGQUIT {
                    session.endForEverybody(writing: { union.referencedFiles }, orElse: union.close)
                    continue
                }
                do { try session.unmount() } catch { log.write("unmount: \(error)") }
            }
        }
        if let thread { thread.detach() } else { log.write("no thread can be had to wait for signals") }
    }
}

extension [CInt] {
    fileprivate var set: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in self { sigaddset(&set, number) }
        return set
    }
}
