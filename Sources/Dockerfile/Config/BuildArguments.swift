package import OCI

/// The arguments of a build: those that the user gives, those that every build has, and the `ARG`s before the first
/// `FROM`.
package struct BuildArguments: Sendable {
    /// What the user gives, with `--build-arg`.
    package let given: [String: String]
    /// The variables of `FROM`, and what an `ARG` without a default in a stage takes its value from.
    package let globals: Variables

    /// No arguments at all: for changes of an image without a build.
    package static let none = BuildArguments(given: [:], globals: Variables())

    private init(given: [String: String], globals: Variables) {
        self.given = given
        self.globals = globals
    }

    /// `host` builds for `target`. `stage` is the name of the stage that is built, nil for the last one. Throws an
    /// error for a global `ARG` that does not expand, and where the user asks for another frontend.
    package init(
        given: [String: String] = [:],
        host: Platform = .host,
        target: Platform = .host,
        stage: String? = nil,
        of dockerfile: Dockerfile
    ) throws(DockerfileError) {
        if let syntax = given["BUILDKIT_SYNTAX"] {
            do { try DirectiveReader.check(frontend: syntax) } catch {
                throw DockerfileError("--build-arg BUILDKIT_SYNTAX: \(error.message)")
            }
        }
        var globals = Variables()
        let name = stage ?? dockerfile.stages.last?.name ?? ""
        for (variable, value) in BuildArguments.predefined(host, target) {
            globals[variable] = given[variable] ?? value
        }
        globals["TARGETSTAGE"] = given["TARGETSTAGE"] ?? (name.isEmpty ? "default" : name)
        for instruction in dockerfile.globals {
            guard case .arg(let arguments) = instruction.operation else { continue }
            for argument in arguments {
                let value = try locating(instruction.source) { () throws(DockerfileError) in
                    if let value = given[argument.name] { return value as String? }
                    return try argument.value?.expand(with: globals)
                }
                if let value { globals[argument.name] = value }
                try globals.checkSize(at: instruction.source)
            }
        }
        self.given = given
        self.globals = globals
    }

    private static func predefined(_ host: Platform, _ target: Platform) -> [(String, String)] {
        let platforms = [("BUILD", normal(host)), ("TARGET", normal(target))]
        return platforms.flatMap { prefix, platform in
            [
                ("\(prefix)PLATFORM", "\(platform)"), ("\(prefix)OS", platform.os),
                ("\(prefix)OSVERSION", ""),
                ("\(prefix)ARCH", platform.architecture), ("\(prefix)VARIANT", platform.variant ?? ""),
            ]
        }
    }

    /// A 64-bit ARM is version 8 without being called so.
    private static func normal(_ platform: Platform) -> Platform {
        var normal = platform
        if normal.architecture == "arm64", normal.variant == "v8" { normal.variant = nil }
        return normal
    }
}

extension BuildArguments {
    private static let proxies = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"]

    /// The proxies that the user gives, for the environment of every `RUN`, declared or not. They belong neither into
    /// history nor into a cache's keys.
    package var proxyEnvironment: [String] {
        BuildArguments.proxies.flatMap { name -> [String] in
            // The last name in the order of bytes counts: the one in lower case.
            let value = given.filter { $0.key.lowercased() == name }.max { $0.key < $1.key }?.value
            return value.map { ["\(name.uppercased())=\($0)", "\(name)=\($0)"] } ?? []
        }
    }

    /// The arguments that the user gives and that nothing in the Dockerfile declares: probably a mistake.
    package func unused(in dockerfile: Dockerfile) -> [String] {
        var declared: Set<String> = ["SOURCE_DATE_EPOCH", "TARGETSTAGE"]
        for instruction in dockerfile.globals + dockerfile.stages.flatMap(\.instructions) {
            guard case .arg(let arguments) = instruction.operation else { continue }
            declared.formUnion(arguments.map(\.name))
        }
        declared.formUnion(BuildArguments.predefined(.host, .host).map(\.0))
        return given.keys.filter { name in
            !declared.contains(name) && !name.hasPrefix("BUILDKIT_")
                && !BuildArguments.proxies.contains(name.lowercased())
        }.sorted()
    }
}
