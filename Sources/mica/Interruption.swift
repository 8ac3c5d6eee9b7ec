import Linux
import Synchronization

import Glibc

/// Handles SIGINT, SIGTERM and SIGHUP while a verb stages something in the store or writes to a file: removes what
/// is half done, then lets the signal take its default action.
enum Interruption {
    private static let isEnding = Atomic(false)

    /// For a verb that stages. Call it before there is a second thread.
    static func cleansUp() { begin().thread?.detach() }

    /// For a part of a verb: afterwards signals have their former actions.
    static func cleaning<Result>(_ body: () throws -> Result) rethrows -> Result {
        let watch = begin()
        defer { watch.end() }
        return try body()
    }

    private static let ending = [SIGINT, SIGTERM, SIGHUP]
    /// Ends a watch; mica uses this signal for nothing else.
    private static let over = SIGURG

    /// A thread that waits for the signals.
    private struct Watch {
        let thread: WorkerThread?
        let before: sigset_t
        let isOver: Flag

        final class Flag: Sendable { let value = Atomic(false) }

        func end() {
            if let thread {
                isOver.value.store(true, ordering: .sequentiallyConsistent)
                kill(getpid(), over)
                thread.join()
            }
            var before = before
            // A signal that arrived meanwhile takes effect now.
            pthread_sigmask(SIG_SETMASK, &before, nil)
        }
    }

    private static func begin() -> Watch {
        var set = sigset_t()
        var before = sigset_t()
        sigemptyset(&set)
        for number in ending where !isIgnored(number) { sigaddset(&set, number) }
        sigaddset(&set, over)
        pthread_sigmask(SIG_BLOCK, &set, &before)
        let waited = set
        let isOver = Watch.Flag()
        let thread = try? WorkerThread {
            var set = waited
            var number: CInt = 0
            while sigwait(&set, &number) != 0 || number == over {
                if isOver.value.load(ordering: .sequentiallyConsistent) { return }
            }
            isEnding.store(true, ordering: .sequentiallyConsistent)
            Unfinished.removeAll()
            signal(number, SIG_DFL)
            pthread_sigmask(SIG_UNBLOCK, &set, nil)
            kill(getpid(), number)
        }
        // Without the thread a signal ends the program as by default.
        if thread == nil { pthread_sigmask(SIG_SETMASK, &before, nil) }
        return Watch(thread: thread, before: before, isOver: isOver)
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
