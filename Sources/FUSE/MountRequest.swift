package import SystemPackage

/// The source, target and options of a mount.
package struct MountRequest: Sendable {
    /// The source in /proc/mounts: bytes without a NUL.
    package var source: [UInt8]
    /// An existing directory, or a file if the root is one.
    package var target: FilePath
    /// The filesystem type is `fuse.` and this.
    package var subtype = Array("mica".utf8)
    /// MS_*.
    package var flags: UInt = 0
    /// MS_PRIVATE or another kind of propagation; nil for that of the target's own mount.
    package var propagation: UInt?
    /// Whether users other than the one who mounts may use it.
    package var allowsOther = false
    /// Options for a security module (`context=…`), passed on unchanged.
    package var contexts: [[UInt8]] = []

    package init(source: [UInt8], target: FilePath) {
        self.source = source
        self.target = target
    }
}
