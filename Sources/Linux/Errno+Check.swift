public import SystemPackage

public import Glibc

extension Errno {
    /// The calling thread's errno.
    @inlinable
    public static var last: Errno { Errno(rawValue: Glibc.errno) }

    /// The one place where -1 becomes a thrown errno.
    @inlinable
    @discardableResult
    public static func check<Result: SignedInteger>(_ result: Result) throws(Errno) -> Result {
        guard result != -1 else { throw .last }
        return result
    }

    /// Repeats `call` while it is interrupted.
    @inlinable
    @discardableResult
    public static func retrying<Result: SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
        while true {
            let result = call()
            if result != -1 { return result }
            let errno = Errno.last
            guard errno == .interrupted else { throw errno }
        }
    }

    /// Repeats `call`, which reads or writes `fd`, while it is interrupted or would block, and waits for `events`
    /// (POLLIN, POLLOUT) in between. Other processes that have an inherited descriptor open decide whether it is
    /// O_NONBLOCK.
    @inlinable
    @discardableResult
    package static func waiting<Result: SignedInteger>(
        for events: CInt,
        on fd: CInt,
        _ call: () -> Result
    ) throws(Errno) -> Result {
        while true {
            do throws(Errno) { return try retrying(call) } catch {
                guard error == .wouldBlock else { throw error }
            }
            var watched = pollfd(fd: fd, events: Int16(truncatingIfNeeded: events), revents: 0)
            try retrying { poll(&watched, 1, -1) }
        }
    }
}
