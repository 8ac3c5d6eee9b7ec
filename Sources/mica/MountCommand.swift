import ArgumentParser

struct MountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount",
        _superCommandName: Mica.name,
        abstract: "Mount an image at a directory.",
        discussion: """
            Read-only, or with --rw as a new snapshot of the image, whose key is printed. What was written stays with \
            the snapshot until `mica snapshot rm KEY`; `mica mount --rw --name KEY IMAGE DIR` mounts it again.

            Set-id programs and device nodes of the image have no effect unless the options have suid and dev (where \
            mount(8) would swallow those: allow_suid, allow_dev).

            Mount options are ro, rw, name=KEY, root=DIR, nosuid, nodev, noexec, noatime, relatime, and what undoes \
            them; io=auto|cached|passthrough and transport=auto|io_uring|dev as in micafs(1); fill=idle brings the \
            rest of files that were written in part while nothing is asked of the mount; squash_to_root, \
            squash_to_uid=N, squash_to_gid=N, uidmapping=C:H:N and gidmapping=C:H:N show files as another's, as in \
            micafs(1). \
            `mica IMAGE DIR -o OPTIONS` is how mount.fuse3 calls it: as here, but writable unless ro is given.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: .customLong("rw"), help: "Mount a snapshot, to be written to.")
    var isWritable = false

    @Option(help: "The snapshot's key: an existing one, or one to be made.")
    var name: String?

    @Option(name: .customShort("o"), help: "Mount options, separated by commas.")
    var options: [String] = []

    @Argument(help: "An image in the store.")
    var image: String

    @Argument(help: "An existing directory.")
    var directory: String

    private var request: MountRequest {
        var request = MountRequest()
        request.root = global.root
        request.isWritable = isWritable
        request.name = name
        request.options = options
        request.image = image
        request.directory = directory
        return request
    }

    func validate() throws { _ = try request.checked() }

    func run() throws { try request.run() }

    /// `SOURCE DIR -o OPTIONS`, which mount.fuse3(8) makes of `-t mica`, as a command line with the verb in it.
    /// Nothing else has an option -o in third place: image and directory stand where a verb would.
    ///
    /// mount.fuse3 ends its options with `dev` and `suid`, each unless the user gave its opposite. That says nothing;
    /// what a user gave stands before it.
    static func takingHelperForm(from arguments: [String]) -> [String] {
        guard arguments.count == 4, arguments[2] == "-o", !arguments[0].hasPrefix("-"),
            !Mica.configuration.subcommands.contains(where: { $0.configuration.commandName == arguments[0] })
        else { return arguments }
        var options = arguments[3].split(separator: ",")
        if options.last == "suid" { options.removeLast() }
        if options.last == "dev" { options.removeLast() }
        return ["mount", "-o", "rw", "-o", options.joined(separator: ","), "--", arguments[0], arguments[1]]
    }
}
