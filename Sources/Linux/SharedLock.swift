import Glibc

/// A pthread read-write lock: any number of threads share it, or one holds it alone. A thread that waits to hold it
/// alone goes before those that come to share it; so no thread may take it twice.
package final class SharedLock: @unchecked Sendable {
    // Safe to share: pthread's own synchronisation. On the heap, because it must never move.
    private let lock = UnsafeMutablePointer<pthread_rwlock_t>.allocate(capacity: 1)

    package init() {
        var attributes = pthread_rwlockattr_t()
        pthread_rwlockattr_init(&attributes)
        pthread_rwlockattr_setkind_np(&attributes, CInt(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP))
        pthread_rwlock_init(lock, &attributes)
        pthread_rwlockattr_destroy(&attributes)
    }

    package func share() { pthread_rwlock_rdlock(lock) }
    package func lockAlone() { pthread_rwlock_wrlock(lock) }
    package func unlock() { pthread_rwlock_unlock(lock) }

    deinit {
        pthread_rwlock_destroy(lock)
        lock.deallocate()
    }
}
