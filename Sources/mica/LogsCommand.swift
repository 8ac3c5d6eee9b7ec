import ArgumentParser
import Containers
import Linux
import Runner
import Snapshots

import Glibc

struct LogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        _superCommandName: Mica.name,
        abstract: "Show what a container wrote, on the stream it wrote to."
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: [.short, .long], help: "Go on until the container ends.")
    var follow = false

    @Option(name: [.customShort("n"), .long], help: "Only the last lines.")
    var tail: Int?

    @Flag(name: [.short, .long], help: "With the time of each line.")
    var timestamps = false

    @Argument(help: "A container's name or ID.")
    var container: String

    func validate() throws {
        if let tail, tail < 0 { throw ValidationError("--tail can't be negative.") }
    }

    func run() throws {
        let containers = Containers(try Store.open(global.layout))
        let container = try containers.container(named: container)
        var reader = LogReader(container.files.log)
        if let tail { try reader.skip(toLast: tail) }
        while true {
            // Asked before the last look: what it wrote until then is there.
            let isRunning = follow && containers.isRunning(container)
            while true {
                let lines = try reader.next()
                if lines.isEmpty { break }
                for line in lines { try show(line) }
            }
            guard isRunning else { return }
            usleep(100_000)
        }
    }

    private func show(_ line: LogLine) throws {
        let bytes = timestamps ? Array("\(line.time) ".utf8) + line.text : line.text
        try bytes.withUnsafeBytes {
            try Console.write($0, to: line.stream == .output ? STDOUT_FILENO : STDERR_FILENO)
        }
    }
}
