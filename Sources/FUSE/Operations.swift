import Linux
import SystemPackage

/// The operations of a mounted filesystem: one method per request, called on several threads at once.
///
/// Each part is declared beside the requests that it serves, with a default for every method: the answer of the tree
/// below, or ENOSYS where there is none. The kernel turns ENOSYS into what POSIX requires (EOPNOTSUPP, ENOTTY) or
/// does the work itself (locks, access checks).
///
/// Names are bytes without `/` and NUL. Errors reach the caller as their errno. `Attributes` that a lookup or a
/// creation returns have one reference counted, which `forget` takes back.
package protocol Operations: NameOperations, AttributeOperations, DataOperations, FlagOperations,
    OpenOperations
{}

/// A tree that may decorate another. One that changes what an owner, a mode or an attribute is must look at every
/// request that carries or shows one.
package protocol Decorating: AnyObject, Sendable {
    /// The tree that answers what this one does not define. nil, the default: there is none.
    var base: (any Operations)? { get }
}

extension Decorating {
    package var base: (any Operations)? { nil }

    func below() throws(FSError) -> any Operations {
        guard let base else { throw .system(.noFunction) }
        return base
    }
}
