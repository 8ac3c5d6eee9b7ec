import ArgumentParser
import Containers
import Snapshots

/// A container's monitor: relays its streams, waits for its end and cleans up.
struct MonitorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitor",
        _superCommandName: Mica.name,
        abstract: "Run a container that is named through a socket.",
        shouldDisplay: false
    )

    @OptionGroup var global: GlobalOptions

    @Flag var interactive = false

    func run() throws { try MonitorCommand.run(root: global.root, interactive: interactive) }

    /// Runs the command line of `MonitorProcess`, without the parser (docs/adr/0016-plain-command-lines.md). false:
    /// it is another one.
    static func run(plain words: ArraySlice<String>) throws -> Bool {
        var words = words
        guard words.popFirst() == "--root", let root = words.popFirst() else { return false }
        guard words.isEmpty || Array(words) == ["--interactive"] else { return false }
        try run(root: root, interactive: !words.isEmpty)
        return true
    }

    private static func run(root: String?, interactive: Bool) throws {
        try Containers.monitor({ try Store.open(GlobalOptions.layout(root: root)) }, interactive: interactive)
    }
}
