import CSeccomp

import Glibc

/// The beginning of a filter that lets through sockets of the usual families only. Others fail with EAFNOSUPPORT, as
/// where the kernel has none: AF_PACKET sees and forges the traffic of a network that is the host's, AF_VSOCK speaks
/// with the hypervisor, and the rare ones have had more holes than users.
///
/// By hand, because libseccomp takes a condition on socket(2) of 32-bit x86 for one on socketcall(2) too and loses it
/// there: arguments of socketcall(2) are in memory, where no filter can look. So its socket() does not exist here;
/// programs built for Linux 4.3 or later have the direct call.
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

    #if arch(x86_64)
    private static let calls: (native: UInt32, other: UInt32, muxed: UInt32) = (41, 359, 102)
    #else
    private static let calls: (native: UInt32, other: UInt32, muxed: UInt32) = (198, 281, 102)
    #endif

    /// Falls off its end for everything that is none of its business.
    static var program: [sock_filter] {
        let count = UInt8(allowed.count)
        var program = [sock_filter(code: load, jt: 0, jf: 0, k: architecture)]
        // Native: socket(2) or nothing.
        program.append(sock_filter(code: jumpIfEqual, jt: 0, jf: 2, k: CSECCOMP_NATIVE))
        program.append(sock_filter(code: load, jt: 0, jf: 0, k: number))
        program.append(sock_filter(code: jumpIfEqual, jt: 7, jf: 8 + count + 1, k: calls.native))
        // 32-bit x86: socketcall(SYS_SOCKET) does not exist, socket(2) is as above.
        program.append(sock_filter(code: jumpIfEqual, jt: 0, jf: 7 + count + 1, k: CSECCOMP_ARCH_X86))
        program.append(sock_filter(code: load, jt: 0, jf: 0, k: number))
        program.append(sock_filter(code: jumpIfEqual, jt: 4, jf: 0, k: calls.other))
        program.append(sock_filter(code: jumpIfEqual, jt: 0, jf: 4 + count + 1, k: calls.muxed))
        program.append(sock_filter(code: load, jt: 0, jf: 0, k: firstArgument))
        program.append(sock_filter(code: jumpIfEqual, jt: 0, jf: 2 + count + 1, k: 1))
        program.append(fails(ENOSYS))
        program.append(sock_filter(code: load, jt: 0, jf: 0, k: firstArgument))
        for (index, family) in allowed.enumerated() {
            program.append(
                sock_filter(code: jumpIfEqual, jt: count - UInt8(index), jf: 0, k: family)
            )
        }
        program.append(fails(EAFNOSUPPORT))
        return program
    }

    private static func fails(_ errno: Int32) -> sock_filter {
        sock_filter(code: end, jt: 0, jf: 0, k: UInt32(CSECCOMP_ACT_ERRNO) | UInt32(errno))
    }
}
