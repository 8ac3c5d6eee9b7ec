import Linux

import CLinux
import CSeccomp
import Glibc
import SystemPackage

/// A seccomp filter for seccomp(2): struct sock_filter[], as the kernel takes it.
package struct SeccompFilter: Sendable, Equatable {
    package let bytes: [UInt8]

    /// The size of one instruction in bytes.
    static let instruction = MemoryLayout<sock_filter>.stride
    /// BPF_MAXINSNS.
    static let longest = 4096

    /// A filter that an earlier `init(_:)` made. Failure: it is not a filter.
    package init(stored bytes: [UInt8]) throws {
        guard bytes.count % SeccompFilter.instruction == 0,
            bytes.count <= SeccompFilter.longest * SeccompFilter.instruction,
            !bytes.isEmpty
        else { throw Failure("the container's seccomp filter is damaged") }
        self.bytes = bytes
    }

    /// libseccomp's translation of `profile`.
    package init(_ profile: SeccompProfile) throws {
        let context = seccomp_init(profile.otherwise.code)
        guard let context else { throw Failure("make a seccomp filter", Errno(rawValue: ENOMEM)) }
        defer { seccomp_release(context) }
        try check(seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, CSECCOMP_ACT_KILL_PROCESS))
        // A tree, so that a call takes fewer comparisons than there are calls.
        try check(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2))
        #if arch(x86_64)
        if profile.coversOtherABIs { try check(seccomp_arch_add(context, CSECCOMP_ARCH_X86)) }
        #endif
        for rule in profile.rules where rule.action != profile.otherwise {
            for name in rule.names { try SeccompFilter.add(rule, name, to: context) }
        }
        let program = try SeccompFilter.exported(context)
        let families = profile.limitsSocketFamilies ? SocketFamilies.program : []
        try self.init(stored: families.withUnsafeBytes { Array($0) } + program)
    }

    private static func add(_ rule: SeccompProfile.Rule, _ name: String, to context: scmp_filter_ctx) throws {
        let number = seccomp_syscall_resolve_name(name)
        // __NR_SCMP_ERROR.
        guard number != -1 else { return }
        for conditions in alternatives(rule.conditions) {
            let comparisons = conditions.map(\.inC)
            let code = seccomp_rule_add_array(
                context,
                rule.action.code,
                number,
                UInt32(comparisons.count),
                comparisons
            )
            // -EDOM: this architecture can't have the rule. -EEXIST: an earlier rule is the same.
            if ![0, -EDOM, -EEXIST].contains(code) {
                throw Failure("make a seccomp filter for \(name)", Errno(rawValue: -code))
            }
        }
    }

    /// libseccomp accepts one condition for each argument: several are alternatives, as in docker.
    private static func alternatives(_ conditions: [SeccompProfile.Condition]) -> [[SeccompProfile.Condition]]
    {
        let arguments = Set(conditions.map(\.argument))
        return arguments.count == conditions.count ? [conditions] : conditions.map { [$0] }
    }

    private static func exported(_ context: scmp_filter_ctx) throws -> [UInt8] {
        // libseccomp writes only to a descriptor.
        let raw = clinux_memory_file("seccomp")
        guard raw >= 0 else { throw Failure("make a seccomp filter", Errno(rawValue: -raw)) }
        let file = OwnedFD(adopting: raw)
        try check(file.use { seccomp_export_bpf(context, $0) })
        lseek(file.raw, 0, SEEK_SET)
        return try naming("make a seccomp filter") {
            try file.contents(limit: longest * instruction)
        }
    }
}

private func check(_ code: Int32) throws {
    guard code == 0 else { throw Failure("make a seccomp filter", Errno(rawValue: -code)) }
}

extension SeccompProfile.Action {
    /// SCMP_ACT_*, which are the kernel's SECCOMP_RET_*.
    var code: UInt32 {
        switch self {
        case .allow: UInt32(CSECCOMP_ACT_ALLOW)
        case .fail(let errno): UInt32(CSECCOMP_ACT_ERRNO) | UInt32(errno)
        case .killProcess: CSECCOMP_ACT_KILL_PROCESS
        case .killThread: UInt32(CSECCOMP_ACT_KILL_THREAD)
        case .trap: UInt32(CSECCOMP_ACT_TRAP)
        case .log: UInt32(CSECCOMP_ACT_LOG)
        case .trace(let number): UInt32(CSECCOMP_ACT_TRACE) | UInt32(number)
        }
    }
}

extension SeccompProfile.Condition {
    fileprivate var inC: scmp_arg_cmp {
        let operation: scmp_compare =
            switch comparison {
            case .notEqual: SCMP_CMP_NE
            case .less: SCMP_CMP_LT
            case .lessOrEqual: SCMP_CMP_LE
            case .equal: SCMP_CMP_EQ
            case .greaterOrEqual: SCMP_CMP_GE
            case .greater: SCMP_CMP_GT
            case .maskedEqual: SCMP_CMP_MASKED_EQ
            }
        return scmp_arg_cmp(arg: argument, op: operation, datum_a: value, datum_b: second)
    }
}
