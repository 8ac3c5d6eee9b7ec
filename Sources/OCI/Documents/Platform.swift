import Glibc
import Linux

/// The platform of an image, in Go's terms.
package struct Platform: Codable, Hashable, Sendable {
    package var architecture: String
    package var os: String
    package var variant: String?

    enum CodingKeys: String, CodingKey { case architecture, os, variant }

    package init(from decoder: any Decoder) throws {
        let members = try FoldedMembers(decoder, by: CodingKeys.self)
        architecture = try members.value(.architecture) ?? ""
        os = try members.value(.os) ?? ""
        variant = try members.value(.variant)
    }

    package init(architecture: String, os: String = "linux", variant: String? = nil) {
        self.architecture = architecture
        self.os = os
        self.variant = variant
    }

    /// `text`: OS/ARCHITECTURE[/VARIANT], or one of Linux's names of architectures. Failure (exit code 2) for
    /// anything else.
    package init(parsing text: String) throws {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...3).contains(parts.count), !parts.contains("") else {
            throw Failure("platform \(text): expected OS/ARCHITECTURE[/VARIANT]", exitCode: 2)
        }
        let names = parts.count == 1 ? ["linux"] + parts : parts
        let known = ["x86_64": "amd64", "aarch64": "arm64", "i386": "386"]
        os = names[0]
        architecture = known[names[1]] ?? names[1]
        variant = names.count > 2 ? names[2] : nil
        if variant == nil, architecture == "arm64" { variant = "v8" }
    }

    /// This machine.
    package static let host: Platform = {
        var name = utsname()
        uname(&name)
        let machine = withUnsafeBytes(of: &name.machine) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        switch machine {
        case "x86_64": return Platform(architecture: "amd64")
        case "i386", "i486", "i586", "i686": return Platform(architecture: "386")
        case "aarch64": return Platform(architecture: "arm64", variant: "v8")
        case "armv6l": return Platform(architecture: "arm", variant: "v6")
        case "armv7l", "armv8l": return Platform(architecture: "arm", variant: "v7")
        case "loongarch64": return Platform(architecture: "loong64")
        default: return Platform(architecture: machine)
        }
    }()

    /// How well an image for `self` runs on `host`: nil for not at all; greater is better.
    package func rank(on host: Platform) -> Int? {
        guard os == host.os, architecture == host.architecture else { return nil }
        func level(_ variant: String?) -> Int? { variant.flatMap { Int($0.drop { $0 == "v" }) } }
        guard let variant, !variant.isEmpty else { return 1 }
        if variant == host.variant { return 100 }
        switch architecture {
        case "arm", "amd64":
            // v7 runs v6 and v5. What this amd64 can do is not known here: v1 is what all can.
            guard let wanted = level(variant), wanted <= level(host.variant) ?? 1 else { return nil }
            return 1 + wanted
        case "arm64": return variant == "v8" ? 2 : nil
        default: return 0
        }
    }
}

extension Platform: CustomStringConvertible {
    package var description: String { "\(os)/\(architecture)" + (variant.map { "/\($0)" } ?? "") }
}
