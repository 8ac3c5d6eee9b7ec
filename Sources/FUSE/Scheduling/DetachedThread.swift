import CFUSE

/// A thread of the usual class, whatever class its starter is of, that no other thread joins.
enum DetachedThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Whether the thread was started.
    static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        let argument = Unmanaged.passRetained(Body(body))
        let isStarted = cfuse_start_thread(
            { argument in
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            },
            argument.toOpaque()
        )
        if isStarted == 0 { argument.release() }
        return isStarted != 0
    }
}
