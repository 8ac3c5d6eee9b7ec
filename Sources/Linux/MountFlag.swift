/// The flags of mount(2) that an option of mount(8) sets or clears (MS_* of linux/mount.h).
package struct MountFlag: Sendable {
    package let bits: UInt
    /// Whether the option sets the bits; otherwise it clears them.
    package let isSet: Bool

    /// By the option's name. The names are those of mount(8), FILESYSTEM-INDEPENDENT MOUNT OPTIONS.
    package static let named: [String: MountFlag] = [
        "ro": MountFlag(bits: 1, isSet: true), "rw": MountFlag(bits: 1, isSet: false),
        "nosuid": MountFlag(bits: 2, isSet: true), "suid": MountFlag(bits: 2, isSet: false),
        "nodev": MountFlag(bits: 4, isSet: true), "dev": MountFlag(bits: 4, isSet: false),
        "noexec": MountFlag(bits: 8, isSet: true), "exec": MountFlag(bits: 8, isSet: false),
        "sync": MountFlag(bits: 16, isSet: true), "async": MountFlag(bits: 16, isSet: false),
        "dirsync": MountFlag(bits: 128, isSet: true),
        "nosymfollow": MountFlag(bits: 256, isSet: true), "symfollow": MountFlag(bits: 256, isSet: false),
        "noatime": MountFlag(bits: 1024, isSet: true), "atime": MountFlag(bits: 1024, isSet: false),
        "nodiratime": MountFlag(bits: 2048, isSet: true), "diratime": MountFlag(bits: 2048, isSet: false),
        "relatime": MountFlag(bits: 1 << 21, isSet: true),
        "norelatime": MountFlag(bits: 1 << 21, isSet: false),
        "strictatime": MountFlag(bits: 1 << 24, isSet: true),
        "nostrictatime": MountFlag(bits: 1 << 24, isSet: false),
        "lazytime": MountFlag(bits: 1 << 25, isSet: true),
        "nolazytime": MountFlag(bits: 1 << 25, isSet: false),
    ]

    /// `flags` with the option applied.
    package func applied(to flags: UInt) -> UInt { isSet ? flags | bits : flags & ~bits }
}
