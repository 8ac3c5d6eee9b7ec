import Containers
import Linux
import Synchronization

import Glibc

/// SIGINT, SIGTERM and SIGHUP during a build: its commands are killed, what they wrote goes, and what was finished is
/// kept; then the signal takes its default action. A second one does so at once.
final class BuildInterruption: Sendable {
    private static let ending = [SIGINT, SIGTERM, SIGHUP]
    private let got = Mutex<CInt?>(nil)
    private let cancellation: Cancellation

    /// Before there is a second thread, so that all threads leave the signals to this one.
    init(_ cancellation: Cancellation) {
        self.cancellation = cancellation
        var set = sigset_t()
        sigemptyset(&set)
        for number in BuildInterruption.ending { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let waited = set
        let thread = try? WorkerThread { [self] in
            while true {
                var set = waited
                var number: CInt = 0
                guard sigwait(&set, &number) == 0 else { continue }
                let isFirst = got.withLock { got in
                    defer { got = got ?? number }
                    return got == nil
                }
                if isFirst { self.cancellation.cancel() } else { BuildInterruption.die(by: number) }
            }
        }
        thread?.detach()
        if thread == nil { pthread_sigmask(SIG_UNBLOCK, &set, nil) }
    }

    /// Everything is cleaned up: a signal that came ends the process.
    func end() {
        if let number = got.withLock({ $0 }) { BuildInterruption.die(by: number) }
    }

    private static let isEnding = Atomic(false)

    private static func die(by number: CInt) {
        // Only once: it lets no file be made afterwards, and waits for those that make one.
        if !isEnding.exchange(true, ordering: .sequentiallyConsistent) { Unfinished.removeAll() }
        signal(number, SIG_DFL)
        // To this thread: another one waits for those that come to the process.
        raise(number)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, number)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        // It has taken effect.
        while true { pause() }
    }
}
