package import OCI

import Layers
import Linux

extension Store {
    /// Makes the committed snapshot `name` of a layer that the store has, where that on `parent` is the chain `chainID`
    /// (containerd's label snapshot.ref): nothing is fetched, and nothing unpacked. nil where the store does not have it.
    ///
    /// In whichever space the layer is used, and over whatever, it is the same one. alreadyExists when the name is
    /// taken, notFound when the parent is missing, invalidArgument when it is not committed.
    package func adopt(
        chain chainID: Digest,
        as name: String,
        parent: String?,
        labels: [String: String] = [:],
        in space: KeySpace = .own
    ) throws -> SnapshotRecord? {
        let lock = try lockForChange()
        let layers = try read { connection -> [Digest]? in
            let parent = try connection.parent(parent, of: name, in: space)
            let below = try parent.map { try connection.layers(of: $0) } ?? []
            return try connection.layer(making: chainID, over: below).map { below + [$0] }
        }
        guard let layers, let top = layers.last, layout.layer(top).exists else { return nil }
        try checkLinks(of: layers)
        let record = try write { connection in
            let parent = try connection.parent(parent, of: name, in: space)
            let row = try connection.addSnapshot(
                name,
                in: space,
                .committed,
                parent: parent,
                layer: connection.add(connection.newLayer(top)),
                labels: labels
            )
            let record = try connection.snapshotRecord(row)
            guard record.layers == layers else {
                throw Failure(
                    "snapshot \(record.parent ?? "") was changed meanwhile",
                    kind: .failedPrecondition
                )
            }
            return record
        }
        _ = consume lock
        return record
    }
}

extension Connection {
    /// The layer of the store that with those below has this chain ID: each is tried, a hash takes a microsecond.
    fileprivate func layer(making chainID: Digest, over below: [Digest]) throws -> Digest? {
        guard let parent = ChainID.all(of: below).last else {
            return try layer(chainID) == nil ? nil : chainID
        }
        return try rows("SELECT diffid FROM layers") { try $0[0] as Digest }
            .first { ChainID.adding($0, to: parent) == chainID }
    }
}
