import ArgumentParser
import Containers
import Linux
import Snapshots

import Glibc

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        _superCommandName: Mica.name,
        abstract: "Write a container's root, running or not, as a tar.",
        discussion: "Without what is mounted in it: volumes, /proc, /sys and /dev."
    )

    @OptionGroup var global: GlobalOptions

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Write to this file; - for standard output.", valueName: "file"),
        completion: .file()
    )
    var output = "-"

    @Argument(help: "A container's name or ID.", completion: .containers)
    var container: String

    func run() throws {
        let all = Containers(try Store.open(global.layout))
        let container = try all.container(named: container)
        guard output != "-" || isatty(STDOUT_FILENO) == 0 else {
            throw Failure("standard output is a terminal", advice: "Name a file: mica export -o FILE")
        }
        try ArchiveOutput(destination: output).write { try all.export(container, to: $0) }
    }
}
