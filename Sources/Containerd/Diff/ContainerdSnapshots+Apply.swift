package import Linux
package import Snapshots

import SystemPackage

extension ContainerdSnapshots {
    /// Makes a layer the content of the snapshot that was given out as these mounts. `open` is called where the layer has
    /// to be read, once at most. unimplemented where they are not those of a snapshot that a layer is unpacked into: the
    /// client's own differ then does it through a mount.
    package func apply(
        _ blob: LayerBlobRequest,
        to mounts: [ServedMount],
        reading open: () throws -> some ByteSource
    ) throws -> NewLayer {
        guard let mount = mounts.first, mount.type == ContainerdSnapshots.helper,
            let key = try snapshot(shownBy: mounts)?.key
        else {
            throw Failure(
                "these mounts are of no snapshot of mica's that a layer is unpacked into",
                kind: .unimplemented
            )
        }
        return try locks.locked(key) { try space.apply(blob.descriptor, to: key, reading: open) }
    }

    /// The snapshot that a client was given these mounts for; nil where they are something else.
    func snapshot(shownBy mounts: [ServedMount]) throws -> SnapshotRecord? {
        guard let mount = mounts.first, mounts.count == 1, let id = number(in: mount) else { return nil }
        return try space.snapshot(numbered: id)
    }

    private func number(in mount: ServedMount) -> Int64? {
        switch mount.type {
        case ContainerdSnapshots.helper: return SnapshotNumber(mount.source)?.id
        case "bind":
            let place = FilePath(mount.source)
            guard place.removingLastComponent() == directory, let name = place.lastComponent?.string else {
                return nil
            }
            return SnapshotNumber("\(SnapshotNumber.prefix)\(name)")?.id
        default: return nil
        }
    }
}
