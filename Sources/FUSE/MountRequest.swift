package import SystemPackage

/// What to mount a session as.
package struct MountRequest: Sendable {
    /// What it is called in /proc/mounts: bytes without a NUL.
    package var source: [UInt8]
    /// An existing directory (or file, if that is what the root is).
    package var target: FilePath
    /// Its type is `fuse.` and this.
    package var subtype = Array("mica".utf8)
    /// MS_*.
    package var flags: UInt = 0
    /// MS_PRIVATE or another kind of propagation; nil for what the target's own mount has.
    package var propagation: UInt?
    /// Other users than the one who mounts may use it.
    package var allowsOther = false
    /// Options for a security module (`context=…`), as they are.
    package var contexts: [[UInt8]] = []

    package init(source: [UInt8], target: FilePath) {
        self.source = source
        self.target = target
    }
}
