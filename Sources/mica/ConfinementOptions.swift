import ArgumentParser
import Containers
import Linux
import Runner

/// What keeps a container from the rest of the machine.
struct ConfinementOptions: ParsableArguments {
    @Option(
        name: [.short, .long],
        help: ArgumentHelp("The most memory that it may use, such as 512m or 2g.", valueName: "size")
    )
    var memory: String?

    @Option(help: ArgumentHelp("The most CPUs that it may keep busy, such as 1.5.", valueName: "number"))
    var cpus: String?

    @Option(
        help: ArgumentHelp(
            "The most processes and threads that it may have; -1 for any number (default: \(Resources.usualProcesses)).",
            valueName: "number"
        )
    )
    var pidsLimit: String?

    @Option(
        help: ArgumentHelp(
            """
            seccomp=unconfined or seccomp=FILE, a profile in docker's format, instead of the standard filter of system \
            calls; no-new-privileges, so that set-user-ID programs and file capabilities give nothing.
            """,
            valueName: "option"
        )
    )
    var securityOpt: [String] = []

    func apply(to request: inout RunRequest) throws {
        request.resources = Resources(
            memory: try memory.map(Resources.memory(parsing:)),
            milliCPUs: try cpus.map(Resources.milliCPUs(parsing:)),
            processes: try pidsLimit.map(Resources.processes(parsing:))
        )
        for option in securityOpt {
            // Docker takes both.
            let parts = option.split(maxSplits: 1, omittingEmptySubsequences: false) {
                $0 == "=" || $0 == ":"
            }
            .map(String.init)
            switch (parts[0], parts.count > 1 ? parts[1] : nil) {
            case ("seccomp", let profile?) where !profile.isEmpty: request.seccomp = profile
            case ("no-new-privileges", nil), ("no-new-privileges", "true"): request.noNewPrivileges = true
            case ("no-new-privileges", "false"): request.noNewPrivileges = false
            default:
                throw Failure(
                    "not a security option: \(option)",
                    advice: "There are seccomp=unconfined, seccomp=FILE and no-new-privileges.",
                    exitCode: ExitStatus.failed.rawValue
                )
            }
        }
    }
}
