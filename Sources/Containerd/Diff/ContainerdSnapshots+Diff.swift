import Glibc
import Layers
import Linux
import OCI
import Snapshots

extension ContainerdSnapshots {
    /// Writes what a snapshot changed in its parent, as a blob: `right` are its mounts, or those of a view of it, and `left`
    /// those of a view of its parent (none: it has no parent). At a cost that grows with the changes; nothing is mounted.
    ///
    /// `mediaType`: empty is a layer with gzip. `latest`: no time in the layer is after it, Unix nanoseconds. `warn` hears
    /// of what no layer can hold. unimplemented where the mounts are not of that kind, or the type is none of mica's: the
    /// client's own differ then compares what they show.
    package func diff(
        from left: [ServedMount],
        to right: [ServedMount],
        mediaType: String,
        notAfter latest: Int64?,
        warn: @escaping @Sendable (String) -> Void
    ) throws -> WrittenDiff {
        let format = try LayerMediaType.format(mediaType)
        let key = try changed(from: left, to: right)
        // No other process ever sees it, and it can't be left behind.
        let file = try naming("create a file in \(space.store.layout.tmp)") {
            try OwnedFD.open(space.store.layout.tmp, O_RDWR | __O_TMPFILE | O_DIRECTORY, mode: 0o600)
        }
        let blob = try space.writeBlob(of: key, compressing: format, notAfter: latest, warn: warn) { bytes in
            try naming("write the changes of snapshot \(key)") { try file.writeAll(bytes) }
        }
        let type = mediaType.isEmpty ? "\(LayerMediaType.tar)+gzip" : mediaType
        return WrittenDiff(blob, mediaType: type, in: try file.duplicate())
    }

    /// The key of the snapshot whose own changes are the difference.
    private func changed(from left: [ServedMount], to right: [ServedMount]) throws -> String {
        let none = Failure(
            "these mounts are not of a snapshot of mica's and of its parent",
            kind: .unimplemented
        )
        guard let new = try snapshot(shownBy: right) else { throw none }
        let old = try snapshot(shownBy: left)
        guard left.isEmpty || old?.kind == .view else { throw none }
        let below = old?.layers ?? []
        switch new.kind {
        case .active:
            let parents = new.layer == nil ? new.layers : Array(new.layers.dropLast())
            guard parents == below else { throw none }
            return new.key
        case .view:
            // Its parent is what it shows.
            guard let parent = new.parent, !new.layers.isEmpty, new.layers.dropLast() == below[...] else {
                throw none
            }
            return parent
        case .committed: throw none
        }
    }
}
