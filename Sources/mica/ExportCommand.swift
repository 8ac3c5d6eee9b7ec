import ArgumentParser
import Containers
import Images
import Linux
import Snapshots
import SystemPackage

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
        if output == "-" {
            guard isatty(STDOUT_FILENO) == 0 else {
                throw Failure("standard output is a terminal", advice: "Name a file: mica export -o FILE")
            }
            return try all.export(container) { bytes in
                try naming("write to standard output") { try InheritedFD(STDOUT_FILENO).writeAll(bytes) }
            }
        }
        let file = OutputBox(try OutputFile(FilePath(output)))
        try all.export(container) { try file.write($0) }
        try file.finish()
    }

    /// Holds the file for an escaping closure.
    private final class OutputBox {
        private var file: OutputFile
        init(_ file: consuming OutputFile) { self.file = file }
        func write(_ bytes: UnsafeRawBufferPointer) throws { try file.write(bytes) }
        func finish() throws { try file.finish() }
    }
}
