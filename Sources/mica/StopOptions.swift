import ArgumentParser
import Linux

/// How stop and restart end a container.
struct StopOptions: ParsableArguments {
    @Option(
        name: [.short, .customLong("timeout"), .long],
        help: ArgumentHelp("Seconds to wait before killing.", valueName: "seconds")
    )
    var time = 10

    @Option(
        name: [.customShort("s"), .customLong("signal")],
        help: "The name or number of the signal, instead of the image's."
    )
    var named: String?

    func signal() throws -> Signal? { try named.map { try Signal(parsing: $0) } }
}
