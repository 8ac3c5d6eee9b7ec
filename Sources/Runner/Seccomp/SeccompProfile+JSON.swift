import Linux

import FoundationEssentials
import Glibc

extension SeccompProfile {
    /// A profile in docker's format, for a process with `capabilities`.
    package init(json: [UInt8], name: String, capabilities: Capabilities) throws {
        let document: Document
        do {
            document = try JSONDecoder().decode(Document.self, from: Data(json))
        } catch {
            throw Failure(
                "\(name) is not a seccomp profile: \(error)",
                advice: "Expected docker's JSON format."
            )
        }
        let errno = document.defaultErrnoRet ?? 1
        let others =
            (document.architectures ?? []) + (document.archMap ?? []).flatMap { $0.subArchitectures ?? [] }
        self.init(
            otherwise: try Action(document.defaultAction, errno, in: name),
            rules: try document.syscalls?.compactMap { try $0.rule(in: name, capabilities) } ?? [],
            coversOtherABIs: others.contains("SCMP_ARCH_X86")
        )
    }

    fileprivate struct Document: Decodable {
        var defaultAction: String
        var defaultErrnoRet: UInt16?
        var architectures: [String]?
        var archMap: [Architecture]?
        var syscalls: [Entry]?

        struct Architecture: Decodable {
            var subArchitectures: [String]?
        }
    }

    fileprivate struct Entry: Decodable {
        var names: [String]?
        var name: String?
        var action: String
        var errnoRet: UInt16?
        var args: [Argument]?
        var includes: Filter?
        var excludes: Filter?

        struct Argument: Decodable {
            var index: UInt32
            var value: UInt64
            var valueTwo: UInt64?
            var op: String
        }

        struct Filter: Decodable {
            var caps: [String]?
            var arches: [String]?
            var minKernel: String?
        }

        /// nil where the rule is not for this machine or process.
        func rule(in profile: String, _ capabilities: Capabilities) throws -> Rule? {
            if let includes {
                if let caps = includes.caps, !caps.allSatisfy(capabilities.contains(named:)) { return nil }
                if let arches = includes.arches, !arches.contains(Entry.architecture) { return nil }
                if let kernel = includes.minKernel, try !Entry.isKernel(atLeast: kernel) { return nil }
            }
            if let excludes {
                if let caps = excludes.caps, caps.contains(where: capabilities.contains(named:)) {
                    return nil
                }
                if let arches = excludes.arches, arches.contains(Entry.architecture) { return nil }
                if let kernel = excludes.minKernel, try Entry.isKernel(atLeast: kernel) { return nil }
            }
            return Rule(
                names: (names ?? []) + [name].compactMap(\.self),
                action: try Action(action, errnoRet ?? 1, in: profile),
                conditions: try (args ?? []).map { try $0.condition(in: profile) }
            )
        }

        #if arch(x86_64)
        private static let architecture = "amd64"
        #else
        private static let architecture = "arm64"
        #endif

        /// `text`: "4.8".
        private static func isKernel(atLeast text: String) throws -> Bool {
            var system = utsname()
            uname(&system)
            let release = withUnsafeBytes(of: &system.release) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            let numbers = { (text: String) in
                text.split(separator: ".").prefix(2).map { Int($0.prefix { $0.isNumber }) ?? 0 }
            }
            let wanted = numbers(text)
            guard wanted.count == 2 else {
                throw Failure("a seccomp profile wants the kernel \(text): not a version")
            }
            return !numbers(release).lexicographicallyPrecedes(wanted)
        }
    }
}

extension SeccompProfile.Action {
    fileprivate init(_ text: String, _ errno: UInt16, in profile: String) throws {
        switch text {
        case "SCMP_ACT_ALLOW": self = .allow
        case "SCMP_ACT_ERRNO": self = .fail(errno)
        case "SCMP_ACT_KILL_PROCESS": self = .killProcess
        case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD": self = .killThread
        case "SCMP_ACT_TRAP": self = .trap
        case "SCMP_ACT_LOG": self = .log
        case "SCMP_ACT_TRACE": self = .trace(errno)
        default: throw Failure("\(profile): the seccomp action \(text) is not supported")
        }
    }
}

extension SeccompProfile.Entry.Argument {
    fileprivate func condition(in profile: String) throws -> SeccompProfile.Condition {
        guard let comparison = SeccompProfile.Condition.Comparison(rawValue: op), index < 6 else {
            throw Failure("\(profile): not a condition of a seccomp rule: argument \(index) \(op)")
        }
        return SeccompProfile.Condition(
            argument: index,
            comparison: comparison,
            value: value,
            second: valueTwo ?? 0
        )
    }
}
