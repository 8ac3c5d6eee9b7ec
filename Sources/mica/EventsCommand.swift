import ArgumentParser
import Containers
import Events
import Linux
import Snapshots

import Glibc
import Layers

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        _superCommandName: Mica.name,
        abstract: "Show what happens to containers and images, as it happens.",
        discussion: """
            Until interrupted, or until the time of --until. The last events are kept, some thousands; --since shows \
            them first.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Option(
        help: ArgumentHelp(
            "First what happened since: a time (2026-01-31T23:59:59Z), seconds since 1970, or how long ago (10m, 1h30m).",
            valueName: "time"
        )
    )
    var since: LogMoment?

    @Option(help: ArgumentHelp("Only what happens before, and then end.", valueName: "time"))
    var until: LogMoment?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Only these: type=container or image, event=start, container=NAME, image=NAME. Of several for one key, any.",
            valueName: "filter"
        )
    )
    var filter: [String] = []

    @Option(help: "json, or a template with docker's fields.")
    var format: String?

    func run() throws {
        let filter = try EventFilter(filter)
        let format = try EventFormat(format)
        let layout = try Store.open(global.layout).layout
        var reader = try EventReader(layout.events, fromNow: since == nil)
        let end = until?.nanoseconds ?? .max
        var isBehind = false
        while true {
            let now = KernelClock.now(CLOCK_REALTIME)
            for event in try reader.next() where filter.matches(event) {
                guard event.time >= since?.nanoseconds ?? .min, event.time < end else { continue }
                let line = Array((try format.line(event) + "\n").utf8)
                try line.withUnsafeBytes { try InheritedFD(STDOUT_FILENO).writeAll($0) }
            }
            if reader.isBehind, !isBehind {
                isBehind = true
                Mica.complain("events were removed before they were read")
            }
            guard now < end else { return }
            reader.wait(milliseconds: Int32(clamping: min((end - now) / 1_000_000 + 1, 3_600_000)))
        }
    }
}
