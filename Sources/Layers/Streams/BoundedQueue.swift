import Linux

/// Hands elements from one thread to another; whoever is ahead waits.
final class BoundedQueue<Element: Sendable>: @unchecked Sendable {
    // Everything below is touched with `lock` held only.
    private let lock = Lock()
    private let capacity: Int
    private var elements: [Element] = []
    private var isClosed = false
    private var error: (any Error)?

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Waits for room. False once the queue is closed: nobody wants more.
    func push(_ element: Element) -> Bool {
        lock.locked {
            while elements.count >= capacity, !isClosed { lock.wait() }
            guard !isClosed else { return false }
            elements.append(element)
            lock.wakeAll()
            return true
        }
    }

    /// Waits for an element. nil once the queue is closed and empty; throws what it was closed with.
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

    /// Ends the queue: by the producer when there is no more, by the consumer when it wants no more.
    func close(throwing error: (any Error)? = nil) {
        lock.locked {
            if !isClosed { self.error = error }
            isClosed = true
            lock.wakeAll()
        }
    }
}
