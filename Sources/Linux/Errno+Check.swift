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
}
