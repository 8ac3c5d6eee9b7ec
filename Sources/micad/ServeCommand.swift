import ArgumentParser
import Containerd
import Glibc
import Layers
import Linux
import Logging
import Snapshots
import SystemPackage

/// `micad [OPTIONS]`: serves until it is told to end.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "micad",
        abstract: "Serve containerd's snapshots and diff services over a store of mica's.",
        discussion: """
            containerd's config.toml names the socket, as that of two proxy plugins: docs/containerd.md.

            Mounts outlive it: what runs on them goes on while micad is restarted.
            """,
        version: Version.current
    )

    @Option(
        help: ArgumentHelp("The store's directory (default: $MICA_ROOT, or /var/lib/mica).", valueName: "dir")
    )
    var root: String?

    @Option(help: ArgumentHelp("Where clients connect.", valueName: "path"))
    var socket = "/run/mica/containerd.sock"

    @Option(
        help: ArgumentHelp(
            "Where snapshots are mounted; emptied by a restart of the machine.",
            valueName: "dir"
        )
    )
    var state = "/run/mica"

    @Option(help: ArgumentHelp("containerd's own socket, where layers are read.", valueName: "path"))
    var containerd = "/run/containerd/containerd.sock"

    @Option(
        help: ArgumentHelp(
            "Where Prometheus reads metrics: a unix socket's path, or 127.0.0.1:PORT (default: nowhere).",
            valueName: "place"
        ),
        transform: ServeCommand.metricsAddress
    )
    var metrics: MetricsAddress?

    @Option(
        help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"),
        transform: ServeCommand.level
    )
    var logLevel = Logger.Level.info

    mutating func run() async throws {
        let layout = StoreLayout(
            root: try absolute(root ?? getenv("MICA_ROOT").map { String(cString: $0) } ?? "/var/lib/mica")
        )
        try ServeCommand.checkThatMountsCanName(layout.root)
        let socket = try absolute(socket)
        let place = try PrivateDirectory.claimed(socket.removingLastComponent())
        let state = try PrivateDirectory.claimed(try absolute(state))
        let mounts = try PrivateDirectory.claimed(state.appending("mounts"))
        let store = try Store.open(layout)
        let address = place.appending(socket.lastComponent?.string ?? "containerd.sock")
        try ServiceLock.hold(store.layout, socket: address)
        try ServiceLock.hold(state: state)
        let service = ContainerdSnapshots(store, mountsIn: mounts)
        // Before anybody is told that it serves.
        try service.probe()
        let listener = try ListeningSocket.listening(at: address)
        defer { try? address.unlink() }
        let metrics = try metrics.map { try MetricsService($0, of: service) }
        defer { metrics?.close() }
        try await Server(
            service: service,
            listener: listener.release(),
            containerd: try absolute(containerd),
            log: log
        ).run()
    }

    private var log: Logger {
        var log = Logger(label: "micad") { StreamLogHandler.standardError(label: $0) }
        log.logLevel = logLevel
        return log
    }

    private static func level(_ text: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: text) else {
            throw ValidationError("\(text) is no log level")
        }
        return level
    }

    private static func metricsAddress(_ text: String) throws -> MetricsAddress {
        guard let address = MetricsAddress(text) else {
            throw ValidationError("\(text) is neither a path that begins with / nor 127.0.0.1:PORT")
        }
        return address
    }

    /// In a list of mount options.
    private static func checkThatMountsCanName(_ root: FilePath) throws {
        guard root.string.utf8.contains(UInt8(ascii: ",")) else { return }
        throw Failure("the store's path \(root) has a comma, which no mount option can hold")
    }

    private func absolute(_ path: String) throws -> FilePath {
        let path = FilePath(path)
        guard !path.isAbsolute else { return path.lexicallyNormalized() }
        guard let current = getcwd(nil, 0) else { throw Failure("find the current directory", .last) }
        defer { free(current) }
        return FilePath(platformString: current).pushing(path).lexicallyNormalized()
    }
}
