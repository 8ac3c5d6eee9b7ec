import Linux

/// Options that change nothing here, and those that are refused with a reason. An option in none of these tables,
/// `MountFlag.named` or `Arguments.apply` is unknown. docs/OPTIONS.md has the same tables for users.
package enum KnownOptions {
    /// Propagation, set after mounting (MS_*). Nothing is below a new mount, so the recursive forms mean the same.
    static let propagations: [String: UInt] = [
        "unbindable": 1 << 17, "private": 1 << 18, "slave": 1 << 19, "shared": 1 << 20,
        "runbindable": 1 << 17, "rprivate": 1 << 18, "rslave": 1 << 19, "rshared": 1 << 20,
    ]

    enum Values: Sendable {
        case none, any, number
        case oneOf([String])
    }

    /// An option that is accepted because what it asks for is the case anyway, or makes no difference here.
    struct Moot: Sendable {
        let values: Values
        /// Why other values of the option are refused; nil where there are none.
        let refusal: String?

        init(_ values: Values, refusal: String? = nil) {
            self.values = values
            self.refusal = refusal
        }
    }

    static let moot: [String: Moot] = [
        // fuse-overlayfs and libfuse.
        "default_permissions": Moot(.none),
        "timeout": Moot(.number), "fast_ino": Moot(.number), "fast_ino_check": Moot(.number),
        "max_write": Moot(.number), "max_read": Moot(.number),
        "max_idle_threads": Moot(.number), "clone_fd": Moot(.none), "kernel_cache": Moot(.none),
        "splice_read": Moot(.none), "splice_write": Moot(.none), "splice_move": Moot(.none),
        // Kernel overlayfs.
        "index": Moot(.oneOf(["on", "off"])),
        "xino": Moot(.oneOf(["on", "off", "auto"])),
        "uuid": Moot(.oneOf(["on", "off", "null", "auto"])),
        "nfs_export": Moot(.oneOf(["off"]), refusal: "there are no file handles that survive a remount"),
        "verity": Moot(.oneOf(["off"]), refusal: "digests of files are not checked"),
        "override_creds": Moot(.none),
        // For mount(8), fstab and systemd.
        "defaults": Moot(.none), "auto": Moot(.none), "noauto": Moot(.none), "nofail": Moot(.none),
        "_netdev": Moot(.none), "user": Moot(.any), "nouser": Moot(.none), "users": Moot(.none),
        "nousers": Moot(.none), "owner": Moot(.none), "noowner": Moot(.none), "group": Moot(.none),
        "nogroup": Moot(.none), "comment": Moot(.any), "silent": Moot(.none), "loud": Moot(.none),
        // Linux has no mandatory locks any more, and asks FUSE for no file versions.
        "mand": Moot(.none), "nomand": Moot(.none), "iversion": Moot(.none), "noiversion": Moot(.none),
    ]

    /// Options of overlayfs, fuse-overlayfs or libfuse that ask for something mica does not have.
    static let refused: [String: String] = [
        "remount": "mount(8) does that by itself: mount -i -o remount,… DIR",
        "plugins": "layers are directories or images; there are no plugins",
        "allow_root": "the kernel's caches would not keep others out; allow_other is what there is",
        "auto_unmount": "no process is left to unmount when the daemon is killed; see `umount -l`",
        "ino32_t": "inode numbers need 64 bits to stay the same",
        "datadir+": "data-only layers are not supported",
        "nooverride_creds": "the layers are always accessed with the daemon's own credentials",
    ]

    /// The names of all options that are accepted, or refused with a reason: a test compares them with the
    /// documentation.
    package static var all: [String] {
        var names = Arguments.effective + OptionList.contexts
        names += MountFlag.named.keys
        names += propagations.keys
        names += moot.keys
        names += refused.keys
        return names
    }
}
