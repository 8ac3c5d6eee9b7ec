package import SystemPackage

import Glibc
import Synchronization

/// A separate thread for work that blocks: Swift concurrency has too few threads to block one.
package final class WorkerThread: Sendable {
    private let thread: pthread_t
    private let isWaitedFor = Atomic(false)

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts `body`. `stackSize` in bytes; the system's default without it. Throws EAGAIN where no thread can be
    /// had.
    package init(stackSize: Int? = nil, _ body: @escaping @Sendable () -> Void) throws(Errno) {
        let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
        pthread_attr_init(attributes)
        defer {
            pthread_attr_destroy(attributes)
            attributes.deallocate()
        }
        if let stackSize { pthread_attr_setstacksize(attributes, stackSize) }
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Body(body))
        let result = pthread_create(
            &thread,
            attributes,
            { argument in
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            },
            argument.toOpaque()
        )
        guard result == 0 else {
            argument.release()
            throw Errno(rawValue: result)
        }
        self.thread = thread
    }

    /// Waits for its end; a second call returns at once. Its owner must call this or `detach`.
    package func join() {
        if !isWaitedFor.exchange(true, ordering: .relaxed) { pthread_join(thread, nil) }
    }

    /// Declares that no thread will wait for it.
    package func detach() {
        if !isWaitedFor.exchange(true, ordering: .relaxed) { pthread_detach(thread) }
    }
}
