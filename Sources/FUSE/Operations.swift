import Linux
import SystemPackage

/// What a mounted filesystem answers: one method per request it supports, called on several threads at once.
///
/// Each part is declared beside the requests that ask for it, with what a tree answers that does not define a method
/// itself: what the tree below it answers, or ENOSYS where there is none below. The kernel turns ENOSYS into what POSIX
/// says (EOPNOTSUPP, ENOTTY) or into work of its own (locks, access checks).
///
/// Names are bytes without `/` and NUL. Errors reach the caller as their errno. `Attributes` that a lookup or a creation
/// returns have one reference counted, which `forget` gives back.
package protocol Operations: NameOperations, AttributeOperations, DataOperations, FlagOperations,
    OpenOperations
{}

/// A tree that may show another one. One that changes what an owner, a mode or an attribute is has to look at every
/// request that carries or shows one.
package protocol Decorating: AnyObject, Sendable {
    /// Answers what this tree does not define. nil, as by default: nothing does.
    var base: (any Operations)? { get }
}

extension Decorating {
    package var base: (any Operations)? { nil }

    func below() throws(FSError) -> any Operations {
        guard let base else { throw .system(.noFunction) }
        return base
    }
}
