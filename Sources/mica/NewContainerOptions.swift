import ArgumentParser
import Containers
import Runner
import Snapshots

/// The options of run and create beside the process and its confinement.
struct NewContainerOptions: ParsableArguments {
    @Flag(name: .customLong("rm"), help: "Remove the container when it has ended.")
    var remove = false

    @Option(help: "The container's name. One is made up by default.")
    var name: String?

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "A file or directory of the host's; a source that begins with a dot is relative to the current directory.",
            valueName: "source:destination[:ro]"
        ),
        completion: .file()
    )
    var volume: [String] = []

    @Option(help: "Replaces the image's entrypoint.")
    var entrypoint: String?

    @Option(name: [.customShort("h"), .long], help: "The name the container has for itself.")
    var hostname: String?

    @Option(name: [.customLong("net"), .long], help: "none (only lo) or host.")
    var network = ContainerSpec.Network.none

    @Flag(help: "Mount the container's root read-only.")
    var readOnly = false

    @Option(
        name: .customShort("o"),
        help: ArgumentHelp(
            "How the root's data is kept and moved, as in mica mount: writeback=1, io=auto|cached|passthrough,"
                + " transport=, scheduling=, fill=, volatile.",
            valueName: "options"
        )
    )
    var options: [String] = []

    @Option(
        help: ArgumentHelp(
            "How much of what it writes is kept: max-size=10m for a file, max-file=3 for how many.",
            valueName: "name=value"
        )
    )
    var logOpt: [String] = []

    @Option(
        help: ArgumentHelp(
            "When the image is brought from its registry: always, missing or never.",
            valueName: "when"
        )
    )
    var pull = PullPolicy.missing

    @Argument(help: "An image of the store, or of a registry.", completion: .images)
    var image: String

    @Argument(parsing: .captureForPassthrough, help: "The command, instead of the image's own.")
    var command: [String] = []

    func run(
        _ global: GlobalOptions,
        _ process: ProcessOptions,
        _ confinement: ConfinementOptions,
        isDetached: Bool = false
    ) throws -> ContainerRun {
        var request = RunRequest(image: image)
        request.command = command
        request.entrypoint = entrypoint
        request.name = name
        request.hostname = hostname
        request.network = network
        request.volumes = try volume.map { try Volume(parsing: $0, in: GlobalOptions.currentDirectory()) }
        request.readOnlyRoot = readOnly
        request.rootOptions = try MountOptions.ofRoot(options)
        request.removeAtExit = remove
        request.apply(process.request)
        try confinement.apply(to: &request)
        request.logLimits = try LogLimits(parsing: logOpt)
        return ContainerRun(
            root: global.root,
            process: process.request,
            isDetached: isDetached,
            pull: pull,
            request: request
        )
    }
}

extension ContainerSpec.Network: ExpressibleByArgument {}
