import ArgumentParser

struct MountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount",
        _superCommandName: Mica.name,
        abstract: "Mount an image, a container that has ended, or a snapshot at a directory.",
        discussion: """
            Read-only, or with --rw as a new snapshot of the image, whose key is printed. What was written stays with \
            the snapshot until `mica snapshot rm KEY`; `mica mount --rw KEY DIR` mounts it again. A container that has \
            ended is shown with what it wrote, and with --rw can be written to.

            Set-id programs and device nodes of the image have no effect unless the options have suid and dev (where \
            mount(8) would swallow those: allow_suid, allow_dev).

            Mount options are ro, rw, name=KEY, root=DIR, nosuid, nodev, noexec, noatime, nodiratime, relatime, \
            strictatime, lazytime, sync, dirsync, nosymfollow, and what undoes them; io=auto|cached|passthrough, transport=auto|io_uring|dev and scheduling=leading|plain as in \
            micafs(1); writeback=1, uidmapping, \
            gidmapping, squash_to_uid, squash_to_gid, squash_to_root, noxattrs=1, noacl, static_nlink, volatile and \
            allow_other, too; fill=idle brings the rest of files that were written in part while nothing is asked of the mount. \
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

    @Argument(
        help: "An image, a container or a snapshot, of which the first of this name is taken.",
        completion: .images
    )
    var image: String

    @Argument(help: "An existing directory.", completion: .directory)
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

    /// Turns `SOURCE DIR -o OPTIONS`, which mount.fuse3(8) makes of `-t mica`, into a command line with a verb.
    /// Nothing else has -o in third place, where image and directory stand in place of a verb. nil for every other
    /// command line.
    ///
    /// mount.fuse3 ends its options with `dev` and `suid`, each unless the user gave its opposite, so those two mean
    /// nothing; the user's options stand before them.
    static func helperForm(_ words: [String]) -> [String]? {
        guard words.count == 4, words[2] == "-o", Grammar.of(words[0]) == nil else { return nil }
        var options = words[3].split(separator: ",")
        if options.last == "suid" { options.removeLast() }
        if options.last == "dev" { options.removeLast() }
        return ["mount", "-o", "rw", "-o", options.joined(separator: ","), "--", words[0], words[1]]
    }
}
