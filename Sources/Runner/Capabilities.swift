/// A set of capabilities; bit n is capability number n.
package struct Capabilities: OptionSet, Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    private static func number(_ number: UInt64) -> Capabilities { Capabilities(rawValue: 1 << number) }

    package static let chown = number(0)
    package static let dacOverride = number(1)
    package static let fowner = number(3)
    package static let fsetid = number(4)
    package static let kill = number(5)
    package static let setgid = number(6)
    package static let setuid = number(7)
    package static let setpcap = number(8)
    package static let netBindService = number(10)
    package static let netRaw = number(13)
    package static let sysChroot = number(18)
    package static let mknod = number(27)
    package static let auditWrite = number(29)
    package static let setfcap = number(31)

    /// Docker's default for containers.
    package static let container: Capabilities = [
        .chown, .dacOverride, .fowner, .fsetid, .kill, .setgid, .setuid, .setpcap, .netBindService, .netRaw,
        .sysChroot, .mknod, .auditWrite, .setfcap,
    ]

    /// In the order of their numbers.
    private static let names = [
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
        "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK",
        "IPC_OWNER",
        "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT",
        "SYS_NICE",
        "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL",
        "SETFCAP",
        "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
        "CHECKPOINT_RESTORE",
    ]

    /// `name`: "CAP_CHOWN". False for unknown names.
    func contains(named name: String) -> Bool {
        guard let number = Capabilities.names.firstIndex(where: { name == "CAP_\($0)" }) else { return false }
        return contains(Capabilities(rawValue: 1 << UInt64(number)))
    }
}
