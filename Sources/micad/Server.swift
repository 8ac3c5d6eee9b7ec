import Containerd
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Glibc
import Linux
import Logging
import ServiceLifecycle
import SystemPackage
import UnixSignals

/// The services on one socket, from the first request to the last.
struct Server {
    let service: ContainerdSnapshots
    /// Owned: it is closed at the end.
    let listener: CInt
    let containerd: FilePath
    let log: Logger

    /// For requests that are being answered when the service is told to end, in seconds.
    private static let graceTime: UInt32 = 20

    func run() async throws {
        let content = ContentStore(socket: containerd)
        let server = GRPCServer(
            transport: HTTP2ServerTransport.Posix(
                listeningSocketDescriptor: Int(listener),
                transportSecurity: .plaintext,
                config: .defaults { $0.channelDebuggingCallbacks.onAcceptTCPConnection = PingAnswers.served }
            ),
            services: [
                SnapshotsEndpoint(service: service),
                DiffEndpoint(service: service, content: content, log: log),
            ],
            interceptors: [RequestLog(log: log), RequestMetrics()]
        )
        var configuration = ServiceGroupConfiguration(
            services: [
                .init(
                    service: Requests(server: server) { endLater() },
                    successTerminationBehavior: .gracefullyShutdownGroup
                ),
                .init(service: Housekeeping(service: service, log: log)),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: log
        )
        // A client that holds on to its connection is not waited for for ever.
        configuration.maximumGracefulShutdownDuration = .seconds(Int64(Server.graceTime))
        let group = ServiceGroup(configuration: configuration)
        log.notice("serving", metadata: ["store": "\(service.root)"])
        try await group.run()
        log.notice("ended")
    }

    /// Nothing cancels a request that waits for the store's lock, or for a disk: the process then ends without it, which
    /// the store takes for a crash.
    private func endLater() {
        let log = log
        let thread = try? WorkerThread {
            sleep(Server.graceTime + 2)
            log.warning("ended, though a request had no answer yet")
            _exit(1)
        }
        thread?.detach()
    }
}

/// Ends once the requests that are being answered have their answers.
private struct Requests<Transport: ServerTransport>: Service {
    let server: GRPCServer<Transport>
    let onShutdown: @Sendable () -> Void

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await server.serve()
        } onGracefulShutdown: {
            onShutdown()
            try? ServiceNotice.stopping.send()
            server.beginGracefulShutdown()
        }
    }
}
