/// Something that `StoreCheck` found to be wrong.
package struct Finding: Sendable, Equatable {
    package enum Kind: String, Sendable {
        case database, directory, image, layer, object, chain, snapshot, container
    }

    package enum Outcome: String, Sendable {
        /// It is as it was.
        case left
        /// It is as it should be.
        case repaired
        /// It is out of the way, in the store's directory `lost`.
        case setApart = "set apart"
    }

    package var kind: Kind
    /// The digest, key or path.
    package var name: String
    /// For people: what was expected and what was found.
    package var problem: String
    /// Names of images, of containers and of snapshots that need it. Sorted.
    package var images: [String] = []
    package var containers: [String] = []
    package var snapshots: [String] = []
    package var outcome = Outcome.left
    /// What the user can do about what is left.
    package var advice: String?

    /// Whether something is still to be done.
    package var isOpen: Bool { outcome == .left || outcome == .setApart && advice != nil }
}
