import ContainerdAPI
import GRPCCore
import GRPCNIOTransportHTTP2Posix

import FoundationEssentials

extension ContentStore {
    private static let lease = "containerd-lease"

    /// Seconds. Who asks for a diff makes an image of it at once; what comes to nothing is collected afterwards.
    private static let leaseTime = 3600.0

    /// What goes with calls for a request whose client keeps what they bring with a lease. containerd does not pass its
    /// client's lease on to a proxy plugin: without one its collector may take a blob before the client has named it.
    func leased(
        _ metadata: Metadata,
        _ client: GRPCClient<HTTP2ClientTransport.Posix>
    ) async throws -> Metadata {
        var passed = ContentStore.passedOn(metadata)
        guard !passed[stringValues: ContentStore.lease].contains(where: { !$0.isEmpty }) else {
            return passed
        }
        let end = Date(timeIntervalSinceNow: ContentStore.leaseTime)
        let request = Containerd_Services_Leases_V1_CreateRequest.with {
            $0.id = "mica-\(UInt64.random(in: 0 ... .max))"
            $0.labels = ["containerd.io/gc.expire": end.formatted(.iso8601)]
        }
        let leases = Containerd_Services_Leases_V1_Leases.Client(wrapping: client)
        _ = try await leases.create(request: ClientRequest(message: request, metadata: passed))
        passed.addString(request.id, forKey: ContentStore.lease)
        return passed
    }
}
