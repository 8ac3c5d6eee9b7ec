import Linux
package import SystemPackage

import CSeccomp
import Glibc

extension SeccompFilter {
    /// The filter of `profile`, for which libseccomp takes up to a tenth of a container's start, so it is cached at
    /// `path`, which only the caller may write to. A file for another profile, of another version of libseccomp, or
    /// a damaged one is made anew.
    package init(_ profile: SeccompProfile, cachedAt path: FilePath) throws {
        let key = SeccompFilter.key(of: profile)
        let file = try? OwnedFD.open(path, O_RDONLY | O_NOFOLLOW).contents(limit: 1 << 20)
        if let file, file.starts(with: key),
            let known = try? SeccompFilter(stored: Array(file.dropFirst(key.count)))
        {
            self = known
            return
        }
        try self.init(profile)
        // A cache: a full disk costs time only.
        try? keep(key, at: path)
    }

    private func keep(_ key: [UInt8], at path: FilePath) throws {
        let draft = FilePath("\(path.string).\(getpid()).new")
        let file = try OwnedFD.open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
        do {
            try file.writeAll(key + bytes)
            try draft.rename(to: path)
        } catch {
            try? draft.unlink()
            throw error
        }
    }

    /// 64 bytes that identify the profile, and the version that translated it.
    private static func key(of profile: SeccompProfile) -> [UInt8] {
        var hash = FNV()
        if let version = seccomp_version()?.pointee {
            for number in [version.major, version.minor, version.micro] { hash.add(number) }
        }
        hash.add(CSECCOMP_NATIVE)
        hash.add(profile.otherwise.code)
        hash.add(UInt8(profile.coversOtherABIs ? 1 : 0))
        hash.add(UInt8(profile.limitsSocketFamilies ? 1 : 0))
        for rule in profile.rules {
            hash.add(rule.action.code)
            for condition in rule.conditions {
                hash.add(condition.argument)
                hash.add(condition.comparison.rawValue)
                for half in [condition.value, condition.second] {
                    hash.add(UInt32(truncatingIfNeeded: half))
                    hash.add(UInt32(truncatingIfNeeded: half >> 32))
                }
            }
            for name in rule.names { hash.add(name) }
        }
        if profile.limitsSocketFamilies {
            SocketFamilies.program.withUnsafeBytes { $0.forEach { hash.add($0) } }
        }
        let text = Array("mica seccomp filter 1 \(hash.value)\n".utf8)
        return text + [UInt8](repeating: 0, count: 64 - text.count)
    }
}

/// FNV-1a of 64 bits, to tell versions of one program apart, no more.
private struct FNV {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }

    mutating func add(_ number: UInt32) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            add(UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    mutating func add(_ text: String) {
        for byte in text.utf8 { add(byte) }
        add(UInt8(0xff))
    }
}
