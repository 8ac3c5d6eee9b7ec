import Linux

/// The places of files that the kernel has forgotten and that are only in the upper, or elsewhere than in the lower.
/// A file handle finds its file by them: it holds a node's number and nothing else.
///
/// 32 bytes for each such file. A stale entry is found out when it is used, because the name is looked up.
struct ForgottenPlaces {
    struct Place {
        let directory: UInt64
        /// The key of the name; see `NamePosition`.
        let key: UInt64
    }

    private var places = NumberMap<Place>()
    private(set) var isEmpty = true

    subscript(id: UInt64) -> Place? { isEmpty ? nil : places[id] }

    mutating func note(_ node: Node) {
        guard let parent = node.parent else { return }
        places[node.id] = Place(directory: parent.id, key: node.name.withBytes { NamePosition.key(of: $0) })
        isEmpty = false
    }

    mutating func remove(_ id: UInt64) {
        if !isEmpty { places[id] = nil }
    }
}
