import Linux

/// Where files are that the kernel has forgotten, and that only the upper has or has elsewhere than the lower: for who
/// comes with a file handle, which is a node's number and nothing else.
///
/// 32 bytes for each such file. An entry that is no longer true is found out when it is used: the name is looked at.
struct ForgottenPlaces {
    struct Place {
        let directory: UInt64
        /// Of the name; see `NamePosition`.
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
