import CSeccomp

import Glibc

/// The beginning of a filter that allows sockets of the usual families only. Others fail with EAFNOSUPPORT, as on a
/// kernel without them: AF_PACKET sees and forges the traffic of a network that is the host's, AF_VSOCK speaks with
/// the hypervisor, and the rare ones have had more holes than users.
///
/// Written by hand, because libseccomp applies a condition on 32-bit x86's socket(2) to socketcall(2), too, and
/// loses it there: the arguments of socketcall(2) are in memory, where a filter can't look. So its socket() and
/// socketpair() are refused here; programs built for Linux 4.3 or later make the direct call.
enum SocketFamilies {
    private static let allowed: [UInt32] = [
        UInt32(AF_UNIX), UInt32(AF_INET), UInt32(AF_INET6), UInt32(AF_NETLINK),
    ]

    // Offsets in struct seccomp_data: nr, arch, instruction_pointer, args[6] of 64 bits each (little-endian).
    private static let number: UInt32 = 0
    private static let architecture: UInt32 = 4
    private static let firstArgument: UInt32 = 16

    private static let load = UInt16(BPF_LD | BPF_W | BPF_ABS)
    private static let jumpIfEqual = UInt16(BPF_JMP | BPF_JEQ | BPF_K)
    private static let end = UInt16(BPF_RET | BPF_K)

    /// The numbers of socket(2) and socketpair(2), for this architecture and for 32-bit x86; and the first argument
    /// of socketcall(2) for them, SYS_SOCKET and SYS_SOCKETPAIR.
    #if arch(x86_64)
    private static let native: [UInt32] = [41, 53]
    #else
    private static let native: [UInt32] = [198, 199]
    #endif
    private static let other: [UInt32] = [359, 360]
    private static let socketcall: UInt32 = 102
    private static let muxed: [UInt32] = [1, 8]

    /// Falls off its end for all other calls.
    static var program: [sock_filter] {
        // Built from the end, where the distance of a jump is known.
        var program = [fails(EAFNOSUPPORT)]
        func prepend(_ instruction: sock_filter) { program.insert(instruction, at: 0) }
        /// The distance past the end from an instruction that is about to be prepended.
        func through() -> UInt8 { UInt8(program.count) }
        for family in allowed.reversed() {
            prepend(sock_filter(code: jumpIfEqual, jt: through(), jf: 0, k: family))
        }
        prepend(sock_filter(code: load, jt: 0, jf: 0, k: firstArgument))
        let families = program.count

        prepend(fails(ENOSYS))
        let absent = program.count
        prepend(sock_filter(code: jumpIfEqual, jt: UInt8(program.count - absent), jf: through(), k: muxed[1]))
        prepend(sock_filter(code: jumpIfEqual, jt: UInt8(program.count - absent), jf: 0, k: muxed[0]))
        prepend(sock_filter(code: load, jt: 0, jf: 0, k: firstArgument))
        prepend(sock_filter(code: jumpIfEqual, jt: 0, jf: through(), k: socketcall))
        for call in other.reversed() {
            prepend(sock_filter(code: jumpIfEqual, jt: UInt8(program.count - families), jf: 0, k: call))
        }
        prepend(sock_filter(code: load, jt: 0, jf: 0, k: number))
        prepend(sock_filter(code: jumpIfEqual, jt: 0, jf: through(), k: CSECCOMP_ARCH_X86))
        let others = program.count

        prepend(
            sock_filter(code: jumpIfEqual, jt: UInt8(program.count - families), jf: through(), k: native[1])
        )
        prepend(sock_filter(code: jumpIfEqual, jt: UInt8(program.count - families), jf: 0, k: native[0]))
        prepend(sock_filter(code: load, jt: 0, jf: 0, k: number))
        prepend(sock_filter(code: jumpIfEqual, jt: 0, jf: UInt8(program.count - others), k: CSECCOMP_NATIVE))
        prepend(sock_filter(code: load, jt: 0, jf: 0, k: architecture))
        return program
    }

    private static func fails(_ errno: Int32) -> sock_filter {
        sock_filter(code: end, jt: 0, jf: 0, k: UInt32(CSECCOMP_ACT_ERRNO) | UInt32(errno))
    }
}
