import CFUSE
import Glibc
import Linux

/// A lock that threads of the class SCHED_FIFO share with threads that may have to wait for their CPU: while one of
/// the former waits, the owner of the lock inherits its priority.
final class PriorityLock: @unchecked Sendable {
    // Safe to share: pthread's own synchronisation. On the heap, because it must never move.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

    init() { cfuse_inheriting_mutex(mutex) }

    func lock() { pthread_mutex_lock(mutex) }
    func unlock() { pthread_mutex_unlock(mutex) }
    /// False where another thread has the lock.
    func tryLock() -> Bool { pthread_mutex_trylock(mutex) == 0 }

    func locked<R>(_ body: () -> R) -> R {
        lock()
        defer { unlock() }
        return body()
    }

    /// A condition for which threads wait that have the lock.
    final class Condition: @unchecked Sendable {
        // Safe to share: as above.
        private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

        init() {
            var attributes = pthread_condattr_t()
            pthread_condattr_init(&attributes)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            pthread_cond_init(condition, &attributes)
            pthread_condattr_destroy(&attributes)
        }

        func signal() { pthread_cond_signal(condition) }
        func wakeAll() { pthread_cond_broadcast(condition) }

        /// Gives up the lock meanwhile. May return without a reason.
        func wait(_ lock: PriorityLock) { pthread_cond_wait(condition, lock.mutex) }

        /// The same, for at most so long.
        func wait(_ lock: PriorityLock, nanoseconds: UInt64) {
            let end = KernelClock.monotonic &+ nanoseconds
            var time = timespec(tv_sec: Int(end / 1_000_000_000), tv_nsec: Int(end % 1_000_000_000))
            pthread_cond_timedwait(condition, lock.mutex, &time)
        }

        deinit {
            pthread_cond_destroy(condition)
            condition.deallocate()
        }
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }
}

extension KernelClock {
    /// Nanoseconds of CLOCK_MONOTONIC.
    static var monotonic: UInt64 { UInt64(truncatingIfNeeded: now(CLOCK_MONOTONIC)) }
}
