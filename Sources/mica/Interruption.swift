import Linux
import Synchronization

import Glibc

/// SIGINT, SIGTERM and SIGHUP while something is being staged in the store, or written to a file: what is half done goes first, then the signal
/// does what it always does.
enum Interruption {
    private static let isEnding = Atomic(false)

    /// For a verb that stages. Before it has a second thread.
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
        // Without one it ends as it would have anyway.
        if let thread { thread.detach() } else { pthread_sigmask(SIG_UNBLOCK, &set, nil) }
    }

    /// What fails because of that is not worth a word: waits for the end.
    static func yield() {
        while isEnding.load(ordering: .sequentiallyConsistent) { pause() }
    }

    /// As nohup(1) leaves SIGHUP, and a shell without job control SIGINT for what is in its background.
    private static func isIgnored(_ number: CInt) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
