/// Which system calls a container's processes may make: rules by name, before they are a filter.
package struct SeccompProfile: Sendable, Equatable {
    package enum Action: Sendable, Equatable {
        case allow
        /// The call does nothing and fails with this errno.
        case fail(UInt16)
        case killProcess, killThread, trap, log
        /// The tracer gets this number; without one the call fails with ENOSYS.
        case trace(UInt16)
    }

    /// What has to be true of an argument. Bits that `mask` leaves out are not looked at.
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
        /// Names that this architecture, or libseccomp, does not know are left out.
        package var names: [String]
        package var action: Action
        /// All of them; of several for one argument, one is enough.
        package var conditions: [Condition] = []
    }

    /// For what no rule is about.
    package var otherwise: Action
    package var rules: [Rule]
    /// Whether programs of the machine's other ABIs (32-bit x86) run under it; they are killed otherwise.
    package var coversOtherABIs: Bool
    /// Whether only the usual families of sockets can be had (`SocketFamilies`).
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
