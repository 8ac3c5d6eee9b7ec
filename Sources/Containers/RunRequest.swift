import OCI
package import Runner

import Glibc
import Linux
import SystemPackage

/// What a user asks of `run`; the image's config supplies the rest.
package struct RunRequest: Sendable {
    package var image: String
    /// Replaces the image's command.
    package var command: [String] = []
    /// Replaces the image's entrypoint and drops its command; an empty string is no entrypoint at all.
    package var entrypoint: String?
    package var name: String?
    /// NAME=VALUE.
    package var environment: [String] = []
    package var directory: String?
    package var user: String?
    package var hostname: String?
    package var network = ContainerSpec.Network.none
    package var volumes: [Volume] = []
    package var readOnlyRoot = false
    /// micafs's options for the root: see `ContainerSpec`.
    package var rootOptions: [String] = []
    package var resources = Resources()
    package var noNewPrivileges = false
    /// `unconfined`, or the path of a profile; nil: the standard one.
    package var seccomp: String?
    package var terminal = false
    package var interactive = false
    package var removeAtExit = false
    package var logLimits = LogLimits.standard

    package init(image: String) { self.image = image }

    package static let unconfined = "unconfined"

    /// The filter compiled from the user's own profile; nil without one.
    func seccompFilter() throws -> SeccompFilter? {
        guard let seccomp, seccomp != RunRequest.unconfined else { return nil }
        let json = try naming("read the seccomp profile \(seccomp)") {
            try OwnedFD.open(FilePath(seccomp), O_RDONLY).contents(limit: 1 << 24)
        }
        return try SeccompFilter(SeccompProfile(json: json, name: seccomp, capabilities: .container))
    }

    /// Docker's rules. `host`: the host's name, for a container that shares its network.
    func spec(id: String, image config: ImageConfig.Process?, host: String) throws -> ContainerSpec {
        var arguments: [String]
        if let entrypoint {
            arguments = (entrypoint.isEmpty ? [] : [entrypoint]) + command
        } else {
            // A Dockerfile's ENTRYPOINT [""] takes back the one of its base.
            let entrypoint = config?.entrypoint == [""] ? [] : config?.entrypoint ?? []
            arguments = entrypoint + (command.isEmpty ? config?.command ?? [] : command)
        }
        guard !arguments.isEmpty else {
            throw Failure(
                "image \(image) has no command of its own",
                advice: "Say what to run: mica run \(image) COMMAND",
                exitCode: ExitStatus.failed.rawValue
            )
        }
        arguments = arguments.map { String($0.prefix { $0 != "\0" }) }
        guard arguments.first?.isEmpty == false else {
            throw Failure(
                "the first word of the command is empty: no program has that name",
                advice: "Say what to run: mica run --entrypoint PROGRAM \(image)",
                exitCode: ExitStatus.notFound.rawValue
            )
        }

        let hostname = hostname ?? (network == .host ? host : String(id.prefix(12)))
        guard !hostname.isEmpty, hostname.utf8.count <= 64 else {
            throw Failure("not a hostname: \(hostname)", advice: "Expected 1 to 64 bytes.", exitCode: 125)
        }
        var base = ["PATH=\(Environment.defaultPath)", "HOSTNAME=\(hostname)"]
        if terminal { base.append("TERM=xterm") }
        base = Environment.merging(base, config?.environment ?? [])

        var destinations: Set<FilePath> = []
        for volume in volumes
        where !destinations.insert(FilePath(volume.destination).lexicallyNormalized()).inserted {
            throw Failure(
                "two volumes have the destination \(volume.destination)",
                kind: .invalidArgument,
                exitCode: 125
            )
        }

        var process = ProcessSpec(arguments: arguments)
        process.environment = Environment.withoutEmptyHome(Environment.merging(base, environment))
        process.directory = try workingDirectory(config)
        process.user = user ?? config?.user ?? ""
        process.terminal = terminal
        process.interactive = interactive

        var spec = ContainerSpec(id: id, process: process, hostname: hostname, network: network)
        spec.volumes = volumes
        spec.readOnlyRoot = readOnlyRoot
        if !rootOptions.isEmpty { spec.rootOptions = rootOptions }
        spec.removeAtExit = removeAtExit
        spec.resources = resources
        spec.noNewPrivileges = noNewPrivileges
        spec.seccomp = seccomp
        spec.logLimits = logLimits
        if let signal = config?.stopSignal, !signal.isEmpty { spec.stopSignal = signal }
        return spec
    }

    private func workingDirectory(_ config: ImageConfig.Process?) throws -> String {
        if let directory {
            guard directory.hasPrefix("/") else {
                throw Failure("the working directory \(directory) is not absolute", exitCode: 125)
            }
            return directory
        }
        let directory = config?.workingDirectory ?? ""
        return directory.hasPrefix("/") ? directory : "/\(directory)"
    }
}
