import Linux
import Synchronization

import Glibc

/// Handles SIGINT, SIGTERM and SIGHUP while a verb stages something in the store or writes to a file: removes what
/// is half done, then lets the signal take its default action.
enum Interruption {
    private static let isEnding = Atomic(false)

    /// For a verb that stages. Call it before there is a second thread.
    static func cleansUp() {
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGINT, SIGTERM, SIGHUP] where !isIgnored(number) { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let waited = set
        let thread = try? WorkerThread {
            var set = waited
            var number: CInt = 0
            while sigwait(&set, &number) != 0 {}
            isEnding.store(true, ordering: .sequentiallyConsistent)
            Unfinished.removeAll()
            signal(number, SIG_DFL)
            pthread_sigmask(SIG_UNBLOCK, &set, nil)
            kill(getpid(), number)
        }
        // Without the thread a signal ends the program as by default.
        if let thread { thread.detach() } else { pthread_sigmask(SIG_UNBLOCK, &set, nil) }
    }

    /// Waits for the end of the program: failures caused by the clean-up are not reported.
    static func yield() {
        while isEnding.load(ordering: .sequentiallyConsistent) { pause() }
    }

    /// As nohup(1) does with SIGHUP, and a shell without job control with SIGINT for background jobs.
    private static func isIgnored(_ number: CInt) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
