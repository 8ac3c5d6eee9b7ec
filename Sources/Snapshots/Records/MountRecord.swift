package import Linux
package import SystemPackage

/// A mount that a micafs serves, for as long as the file `mounts/<id>` is locked.
package struct MountRecord: Sendable, Equatable {
    package var id: Int64
    /// The snapshot it shows: an active one or a view, or an image's topmost committed one. nil only for an
    /// image without layers. It can't be removed while the mount lives.
    package var snapshot: String?
    /// Whose key `snapshot` is.
    package var space: KeySpace = .own
    /// For the user: the image, container or snapshot as it was named.
    package var source: String
    package var target: FilePath
    /// Unix nanoseconds.
    package var created: Int64
    /// Whether a process holds the lock file.
    package var isLive: Bool
    /// Whether it is still in the tree though its micafs was killed: it answers nothing until it is unmounted.
    package var isDead = false
}

extension MountRecord {
    package func isOf(_ snapshot: String, in space: KeySpace = .own) -> Bool {
        self.snapshot == snapshot && self.space == space
    }
}

/// A mount that is about to be made.
package struct NewMount: ~Copyable, Sendable {
    package let record: MountRecord
    /// Held. Hand the descriptor to micafs (`--lock-fd`); the row is true while any copy of it is open.
    package let lock: FileLock
}
