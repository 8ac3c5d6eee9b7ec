public import SystemPackage

import Glibc

/// Why an operation on a mounted tree failed.
///
/// Trivial on purpose: it is thrown on the lookup path, so it holds no `String` and never allocates.
public enum FSError: Error, Equatable {
    case system(Errno)
    /// An index contradicts itself. `offset` is in bytes from the start of the index.
    case corruptIndex(offset: UInt64)

    /// The errno for the kernel. The log gets `self`.
    package var errno: CInt {
        switch self {
        case .system(let errno): errno.rawValue
        case .corruptIndex: EUCLEAN
        }
    }

    /// Runs `body`, whose system calls throw `Errno`.
    @inlinable
    @inline(__always)
    @discardableResult
    public static func wrap<R>(_ body: () throws(Errno) -> R) throws(FSError) -> R {
        do { return try body() } catch { throw .system(error) }
    }

    /// The same for values that can't be copied. A separate function, because such code is never specialised for its
    /// callers.
    package static func wrapOwned<R: ~Copyable>(_ body: () throws(Errno) -> R) throws(FSError) -> R {
        do { return try body() } catch { throw .system(error) }
    }
}
