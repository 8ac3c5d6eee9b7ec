import CLinux

/// What this process may do.
package enum Privileges {
    /// Whether attributes in `trusted.` are its to set: it has CAP_SYS_ADMIN in the first user namespace, not just
    /// in one of its own.
    package static var canSetTrustedXattrs: Bool { clinux_can_set_trusted() != 0 }

    /// Whether no file's mode keeps it from opening it: it has CAP_DAC_OVERRIDE.
    package static var canOverrideModes: Bool { clinux_can_override_modes() != 0 }

    /// Whether it may mount, and make namespaces of every kind: it has CAP_SYS_ADMIN, be it in a user namespace of its
    /// own.
    package static var canMakeNamespaces: Bool { clinux_can_make_namespaces() != 0 }
}
