import ArgumentParser
import Containers
import Linux
import Snapshots
import SystemPackage

/// The arguments of `mica mount`, without a command's property wrappers: those instantiate generic types of the
/// parser, which takes a twentieth of a mount.
struct MountRequest {
    /// The store's directory; nil: the default one.
    var root: String?
    var isWritable = false
    var name: String?
    /// Lists of mount options, as given.
    var options: [String] = []
    var image = ""
    var directory = ""

    init() {}

    /// A command line of plain words that the parser would take as they are; nil for every other one, which is left
    /// to the parser. Parsing takes longer than a mount (docs/adr/0016-plain-command-lines.md).
    init?(plain arguments: ArraySlice<String>) {
        var operands: [String] = []
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
            case "--name" where name == nil: name = value
            case "--root" where root == nil: root = value
            default: return nil
            }
        }
        guard operands.count == 2, (try? checked()) != nil else { return nil }
        image = operands[0]
        directory = operands[1]
    }

    /// All options, wherever they stand in the command line.
    func checked() throws -> MountOptions {
        var all = try MountOptions(Remount.isAsked(options) ? [] : options)
        if isWritable {
            guard all.isWritable != false else {
                throw ValidationError("--rw and -o ro: a mount is either writable or read-only.")
            }
            all.isWritable = true
        }
        all.name = name ?? all.name
        all.root = all.root ?? root
        if let name = all.name, all.isWritable != true {
            throw ValidationError("name=\(name): a read-only mount makes no snapshot to name; --rw does.")
        }
        return all
    }

    func run() throws {
        if let remount = Remount(self.options, directory) { return try remount.run() }
        let options = try checked()
        let mounts = Mounts(try Store.open(GlobalOptions.layout(root: options.root)))
        let target = FilePath(directory)
        guard options.isWritable == true else {
            return try mounts.mount(image, at: target, options: options.flags)
        }
        print(try mounts.mountWritable(image, key: options.name, at: target, options: options.flags))
    }
}
