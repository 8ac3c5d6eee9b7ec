import CFUSE
import Glibc
import Linux
import SystemPackage

/// How requests come from the kernel.
package enum Transport: String, Sendable, CaseIterable {
    /// `uring` where the kernel offers it and this process may use it, else `device`.
    case automatic = "auto"
    /// FUSE over io_uring: Linux 6.14 and newer, with the module parameter fuse.enable_uring. A request is served on
    /// the caller's CPU, which makes a round trip cheap: no other CPU has to wake up.
    case uring = "io_uring"
    /// Reads of /dev/fuse.
    case device = "dev"

    /// The transports that this kernel has.
    package static var usable: [Transport] { Machine.hasFUSERings == true ? [.device, .uring] : [.device] }

    /// Whether to ask for rings. For `uring`, throws where the kernel has none (ENOTSUP) or this process may not use
    /// them.
    func wantsRings() throws(Errno) -> Bool {
        guard self != .device else { return false }
        let result = cfuse_ring_is_possible()
        let isEnabled = Transport.isEnabledInKernel
        guard self == .uring else { return result == 0 && isEnabled }
        guard isEnabled else { throw .notSupported }
        guard result == 0 else { throw Errno(rawValue: -result) }
        return true
    }

    /// Whether the kernel offers rings.
    package static var isEnabledInKernel: Bool { Machine.hasFUSERings ?? false }
}

/// CPUs by number.
enum CPUs {
    /// The CPUs that may ever exist: the kernel wants a queue for each.
    static func possible() -> [UInt16] {
        guard let list = Machine.setting("/sys/devices/system/cpu/possible") else { return online() }
        return parse(list)
    }

    /// The CPUs that this process may run on.
    static func online() -> [UInt16] {
        var cpus = [UInt16](repeating: 0, count: 1024)
        let count = cfuse_cpus(&cpus, UInt32(cpus.count))
        return count > 0 ? Array(cpus.prefix(Int(count))) : [0]
    }

    /// The kernel's notation: `0-3,8`.
    static func parse(_ text: String) -> [UInt16] {
        text.split(separator: ",").flatMap { part -> [UInt16] in
            let bounds = part.split(separator: "-").compactMap { UInt16($0) }
            guard let first = bounds.first, let last = bounds.last, first <= last else { return [] }
            return Array(first...last)
        }
    }
}
