/// What is below a mount's upper directory: the two things micafs can stack on.
package enum LowerForm: String, CaseIterable, Sendable, CustomStringConvertible {
    /// A chain index in a store, made by `mica import`.
    case image
    /// A directory or several, as `lowerdir=` names it.
    case directory

    package var description: String { rawValue }

    /// The forms that this build's micafs serves.
    package static let served: [LowerForm] = [.image, .directory]
}
