import ArgumentParser
import Containers
import Linux
import Snapshots

import Glibc

struct CopyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cp",
        _superCommandName: Mica.name,
        abstract: "Copy files between a container, running or not, and the host.",
        discussion: """
            A container's path is NAME:PATH; links lead nowhere out of its root. - is a tar: standard input that goes into a \
            directory, or standard output. DIR/. is what is in a directory. What is mounted below a directory is left out: \
            copy it by its own path.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Flag(
        name: [.short, .long],
        help: "Keep owners; else the copy is root's in a container, and yours here."
    )
    var archive = false

    @Flag(name: [.customShort("L"), .long], help: "Follow a symbolic link that is the source.")
    var followLink = false

    @Flag(name: [.short, .long], help: "As always: nothing is said of what goes well.")
    var quiet = false

    @Argument(help: ArgumentHelp("What to copy.", valueName: "source"), completion: .file())
    var source: String

    @Argument(help: ArgumentHelp("Where to.", valueName: "target"), completion: .file())
    var target: String

    func run() throws {
        let all = Containers(try Store.open(global.layout))
        let ends = try (CopyCommand.end(source, all), CopyCommand.end(target, all))
        if case .stream = ends.1, isatty(STDOUT_FILENO) == 1 {
            throw Failure("standard output is a terminal", advice: "A tar is for a file, or another program.")
        }
        try all.copy(from: ends.0, to: ends.1, keepingOwners: archive, following: followLink)
    }

    /// As in docker, an argument that begins with a slash or a dot is a path of the host, whatever else is in it.
    private static func end(_ text: String, _ all: Containers) throws -> Containers.CopyEnd {
        if text == "-" { return .stream }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let name = parts.first, !name.isEmpty, !name.hasPrefix("/"),
            !name.hasPrefix(".")
        else { return .host(text) }
        guard !parts[1].isEmpty else { throw Failure("\(text): a path is missing behind the colon") }
        return .container(try all.container(named: String(name)), String(parts[1]))
    }
}
