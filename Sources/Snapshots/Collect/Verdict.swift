/// Whether something in the store is kept, and why.
package struct Verdict: Sendable, Equatable {
    package enum Kind: String, Sendable {
        case image, snapshot, layer, container, mount, lease
    }

    package var kind: Kind
    package var name: String
    package var lives: Bool
    /// For people: "image debian:12", "nothing refers to it".
    package var reason: String
}

/// What a collection came to, or would.
package struct Collection: Sendable {
    package var verdicts: [Verdict] = []
    /// Files and directories of the store that went, by what they were: "layers", "objects" …
    package var removed: [String: Int] = [:]
    /// What they took on disk.
    package var bytes: UInt64 = 0
    /// What could not be looked at or removed, and why.
    package var problems: [String] = []
}
