import Glibc

/// A filesystem in memory that a container sees, and that goes with it.
package struct TemporaryFilesystem: Sendable, Equatable {
    /// An absolute path in the container; resolved inside its root.
    package var destination: String
    /// Bytes; nil: half of the memory.
    package var size: UInt64?

    package init(destination: String, size: UInt64? = nil) {
        self.destination = destination
        self.size = size
    }
}

extension MountPoint {
    init(_ temporary: TemporaryFilesystem) {
        self.init(
            kind: .filesystem("tmpfs"),
            target: temporary.destination,
            options: [("mode", "1777")] + (temporary.size.map { [("size", "\($0)")] } ?? []),
            attributes: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV
        )
    }
}
