package import Snapshots

import Glibc
import SystemPackage

extension ContainerdSnapshots {
    /// How many of what there are at a moment.
    package struct Census: Sendable {
        package let snapshots: [SnapshotRecord.Kind: Int]
        package let mounts: Int
        /// Of the store's file system, bytes; nil where it can't be asked.
        package let disk: (free: UInt64, size: UInt64)?
    }

    package func census() throws -> Census {
        var snapshots: [SnapshotRecord.Kind: Int] = [.view: 0, .active: 0, .committed: 0]
        for record in try space.all() { snapshots[record.kind, default: 0] += 1 }
        let mounts = try space.store.mounts().count { $0.isLive && $0.space == .containerd }
        var status = statvfs()
        let isKnown = root.withPlatformString { statvfs($0, &status) } == 0
        let unit = UInt64(status.f_frsize)
        return Census(
            snapshots: snapshots,
            mounts: mounts,
            disk: isKnown ? (UInt64(status.f_bavail) &* unit, UInt64(status.f_blocks) &* unit) : nil
        )
    }
}
