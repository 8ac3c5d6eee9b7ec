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
        abstract: "Show what a container wrote, on the stream it wrote to.",
        discussion: """
            Byte for byte. Of a container that writes much the oldest is removed: `mica run --log-opt` says when.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: [.short, .long], help: "Go on until the container ends.")
    var follow = false

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("Only the last lines: how many, or all.", valueName: "number")
    )
    var tail: LineCount?

    @Option(
        help: ArgumentHelp(
            "Only what was written since: a time (2026-01-31T23:59:59Z), seconds since 1970, or how long ago (10m, 1h30m).",
            valueName: "time"
        )
    )
    var since: LogMoment?

    @Option(help: ArgumentHelp("Only what was written before.", valueName: "time"))
    var until: LogMoment?

    @Flag(name: [.short, .long], help: "With the time of each line.")
    var timestamps = false

    @Argument(help: "A container's name or ID.", completion: .containers)
    var container: String

    func run() throws {
        let containers = Containers(try Store.open(global.layout))
        let container = try containers.container(named: container)
        var reader = LogReader(container.files.directory)
        let first = try tail?.limit.map { max(0, try reader.lines() - $0) } ?? 0
        var lines = LogLines()
        while true {
            // Asked before the last read, which then gets everything that the container wrote until it ended.
            let isRunning = follow && containers.isRunning(container)
            while true {
                let records = try reader.next()
                if records.isEmpty { break }
                for record in records { try show(record, &lines, from: first) }
            }
            guard isRunning else { break }
            usleep(100_000)
        }
        if reader.isBehind {
            Mica.complain("part of the log was removed before it was read (max-size, max-file)")
        }
        if let damage = reader.damage { throw Failure("\(damage) is damaged: the rest of it is not shown") }
    }

    private func show(_ record: LogRecord, _ lines: inout LogLines, from first: Int) throws {
        let target = Console.descriptor(of: record.stream)
        let isWanted =
            record.time >= since?.nanoseconds ?? Int64.min && record.time < until?.nanoseconds ?? Int64.max
        guard timestamps || first > 0 else {
            guard isWanted else { return }
            return try record.bytes.withUnsafeBytes { try target.writeAll($0) }
        }
        var bytes: [UInt8] = []
        lines.forEach(in: record) { piece in
            guard isWanted, piece.number >= first else { return }
            if timestamps, piece.begins { bytes += "\(LogTime.text(record.time)) ".utf8 }
            bytes += piece.bytes
        }
        try bytes.withUnsafeBytes { try target.writeAll($0) }
    }
}
