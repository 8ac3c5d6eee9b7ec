import Linux

/// Passes elements from one thread to another; the faster one waits.
final class BoundedQueue<Element: Sendable>: @unchecked Sendable {
    // Safe to share: everything below is touched only under `lock`.
    private let lock = Lock()
    private let capacity: Int
    private var elements: [Element] = []
    private var isClosed = false
    private var error: (any Error)?

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Waits for room. False once the queue is closed, because the consumer wants no more.
    func push(_ element: Element) -> Bool {
        lock.locked {
            while elements.count >= capacity, !isClosed { lock.wait() }
            guard !isClosed else { return false }
            elements.append(element)
            lock.wakeAll()
            return true
        }
    }

    /// Waits for an element. nil once the queue is closed and empty; throws the error that it was closed with.
    func pop() throws -> Element? {
        try lock.locked {
            while elements.isEmpty, !isClosed { lock.wait() }
            if elements.isEmpty {
                if let error { throw error }
                return nil
            }
            defer { lock.wakeAll() }
            return elements.removeFirst()
        }
    }

    /// Ends the queue. The producer calls it when there is no more, the consumer when it wants no more.
    func close(throwing error: (any Error)? = nil) {
        lock.locked {
            if !isClosed { self.error = error }
            isClosed = true
            lock.wakeAll()
        }
    }
}
