package import SystemPackage

import Glibc

/// What the running kernel and its settings say about themselves. It reads when asked, and changes nothing.
package enum Machine {
    /// `major.minor` of the kernel, from uname(2).
    package static var kernel: (major: Int, minor: Int, release: String) {
        var name = utsname()
        guard uname(&name) == 0 else { return (0, 0, "") }
        let release = withUnsafeBytes(of: name.release) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return (numbers.first ?? 0, numbers.count > 1 ? numbers[1] : 0, release)
    }

    package static func isKernel(atLeast major: Int, _ minor: Int) -> Bool {
        let kernel = kernel
        return (kernel.major, kernel.minor) >= (major, minor)
    }

    /// The text of a file of /proc or /sys, without the newline at its end; nil where there is none.
    package static func setting(_ path: FilePath) -> String? {
        guard let file = try? OwnedFD.open(path, O_RDONLY), let bytes = try? file.contents(limit: 1 << 16)
        else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    /// Whether FUSE requests may come by io_uring: nil where the kernel has no such parameter (before 6.14).
    package static var hasFUSERings: Bool? {
        setting("/sys/module/fuse/parameters/enable_uring").map { $0.hasPrefix("Y") || $0.hasPrefix("1") }
    }
}
