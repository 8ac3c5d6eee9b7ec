import ArgumentParser
import Containers
import Linux
import Snapshots
import SystemPackage

struct MountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount",
        _superCommandName: Mica.name,
        abstract: "Mount an image at a directory.",
        discussion: """
            Read-only, or with --rw as a new snapshot of the image, whose key is printed. What was written stays with \
            the snapshot until `mica snapshot rm KEY`; `mica mount --rw --name KEY IMAGE DIR` mounts it again.

            Mount options are ro, rw, name=KEY, root=DIR, nosuid, nodev, noexec, noatime, relatime, and what undoes \
            them; io=auto|cached|passthrough and transport=auto|io_uring|dev as in micafs(1); fill=idle brings the \
            rest of files that were written in part while nothing is asked of the mount. \
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

    /// All of what was asked for, wherever in the command line.
    private func request() throws -> MountOptions {
        var request = try MountOptions(options)
        if isWritable { request.isWritable = true }
        request.name = name ?? request.name
        return request
    }

    func validate() throws {
        let request = try request()
        if let name = request.name, request.isWritable != true {
            throw ValidationError("name=\(name): a read-only mount makes no snapshot to name; --rw does.")
        }
    }

    func run() throws {
        let request = try request()
        var global = global
        if let root = request.root { global.root = root }
        let mounts = Mounts(try Store.open(global.layout))
        let target = FilePath(directory)
        guard request.isWritable == true else {
            return try mounts.mount(image: image, at: target, options: request.flags)
        }
        print(try mounts.mountWritable(image: image, key: request.name, at: target, options: request.flags))
    }

    /// `SOURCE DIR -o OPTIONS`, which mount.fuse3(8) makes of `-t mica`, as a command line with the verb in it.
    /// Nothing else has an option -o in third place: image and directory stand where a verb would.
    static func takingHelperForm(from arguments: [String]) -> [String] {
        guard arguments.count == 4, arguments[2] == "-o", !arguments[0].hasPrefix("-"),
            !Mica.configuration.subcommands.contains(where: { $0.configuration.commandName == arguments[0] })
        else { return arguments }
        return ["mount", "-o", "rw", "-o", arguments[3], "--", arguments[0], arguments[1]]
    }
}

extension MountCommand {
    /// A command line with nothing in it but words that the parser would take as they are; nil for every other one,
    /// which is the parser's: it takes longer than a mount (docs/adr/0016-plain-command-lines.md).
    static func plain(_ arguments: ArraySlice<String>) -> MountCommand? {
        var isWritable = false
        var options: [String] = []
        var operands: [String] = []
        var named: [String: String] = [:]
        var rest = arguments
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-") else {
                operands.append(argument)
                continue
            }
            if argument == "--rw" {
                isWritable = true
                continue
            }
            guard let value = rest.popFirst(), !value.hasPrefix("-") else { return nil }
            switch argument {
            case "-o": options.append(value)
            case "--name", "--root":
                guard named.updateValue(value, forKey: argument) == nil else { return nil }
            default: return nil
            }
        }
        guard operands.count == 2 else { return nil }
        var command = MountCommand()
        command.global = GlobalOptions()
        command.global.root = named["--root"]
        command.isWritable = isWritable
        command.name = named["--name"]
        command.options = options
        command.image = operands[0]
        command.directory = operands[1]
        return (try? command.validate()) == nil ? nil : command
    }
}
