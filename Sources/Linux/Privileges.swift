import CLinux

/// The privileges of this process.
package enum Privileges {
    /// Whether it may set attributes in `trusted.`: it has CAP_SYS_ADMIN in the initial user namespace, not just in
    /// one of its own.
    package static var canSetTrustedXattrs: Bool { clinux_can_set_trusted() != 0 }

    /// Whether it may open any file, whatever its mode: it has CAP_DAC_OVERRIDE.
    package static var canOverrideModes: Bool { clinux_can_override_modes() != 0 }

    /// Whether it may mount, and make namespaces of every kind: it has CAP_SYS_ADMIN, if only in a user namespace of
    /// its own.
    package static var canMakeNamespaces: Bool { clinux_can_make_namespaces() != 0 }
}
