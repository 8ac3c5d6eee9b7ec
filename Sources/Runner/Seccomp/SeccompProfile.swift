/// The system calls that a container's processes may make, as rules by name, from which a filter is made.
package struct SeccompProfile: Sendable, Equatable {
    package enum Action: Sendable, Equatable {
        case allow
        /// The call does nothing and fails with this errno.
        case fail(UInt16)
        case killProcess, killThread, trap, log
        /// The tracer gets this number; without one the call fails with ENOSYS.
        case trace(UInt16)
    }

    /// A condition on an argument. Bits that `mask` leaves out don't count.
    package struct Condition: Sendable, Equatable {
        package enum Comparison: String, Sendable {
            case notEqual = "SCMP_CMP_NE"
            case less = "SCMP_CMP_LT"
            case lessOrEqual = "SCMP_CMP_LE"
            case equal = "SCMP_CMP_EQ"
            case greaterOrEqual = "SCMP_CMP_GE"
            case greater = "SCMP_CMP_GT"
            /// argument & `value` == `second`
            case maskedEqual = "SCMP_CMP_MASKED_EQ"
        }
        /// 0 to 5.
        package var argument: UInt32
        package var comparison: Comparison
        package var value: UInt64
        package var second: UInt64 = 0
    }

    package struct Rule: Sendable, Equatable {
        /// Names that are unknown to this architecture, or to libseccomp, are left out.
        package var names: [String]
        package var action: Action
        /// All must hold; of several for one argument, one is enough.
        package var conditions: [Condition] = []
    }

    /// The action for calls without a rule.
    package var otherwise: Action
    package var rules: [Rule]
    /// Whether programs of the machine's other ABIs (32-bit x86) run under it; otherwise they are killed.
    package var coversOtherABIs: Bool
    /// Whether only sockets of the usual families can be made (`SocketFamilies`).
    package var limitsSocketFamilies: Bool

    package init(
        otherwise: Action,
        rules: [Rule],
        coversOtherABIs: Bool = true,
        limitsSocketFamilies: Bool = false
    ) {
        self.otherwise = otherwise
        self.rules = rules
        self.coversOtherABIs = coversOtherABIs
        self.limitsSocketFamilies = limitsSocketFamilies
    }
}
