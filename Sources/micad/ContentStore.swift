import Containerd
import ContainerdAPI
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Linux
import SwiftProtobuf
import SystemPackage

/// containerd's content store, over containerd's own socket. Each use has a connection of its own: micad is there before
/// containerd is, and outlives it.
struct ContentStore: Sendable {
    typealias Content = Containerd_Services_Content_V1_Content

    let socket: FilePath

    func connected<R: Sendable>(
        _ body: @Sendable (GRPCClient<HTTP2ClientTransport.Posix>) async throws -> R
    ) async throws -> R {
        let transport = try HTTP2ClientTransport.Posix(
            target: .unixDomainSocket(path: socket.string),
            transportSecurity: .plaintext,
            config: .defaults { $0.channelDebuggingCallbacks.onCreateTCPConnection = PingAnswers.made }
        )
        return try await withGRPCClient(transport: transport) { try await body($0) }
    }

    /// The blob's bytes into `source`, and then its end. `metadata`: of the request that is answered, whose namespace is
    /// the blob's.
    func read(_ digest: String, for metadata: Metadata, into source: BlobSource) async {
        do {
            let request = ClientRequest(
                message: Containerd_Services_Content_V1_ReadContentRequest.with { $0.digest = digest },
                metadata: ContentStore.passedOn(metadata)
            )
            try await connected { client in
                try await Content.Client(wrapping: client).read(request: request) { response in
                    for try await message in response.messages { try await source.write(Array(message.data)) }
                }
            }
            source.finish(.success(()))
        } catch let error as RPCError {
            source.finish(
                .failure(Failure("read \(digest) from containerd's content store: \(error.message)"))
            )
        } catch {
            source.finish(.failure(error))
        }
    }

    /// Whose content it is, and which lease keeps it meanwhile.
    static func passedOn(_ metadata: Metadata) -> Metadata {
        var passed = Metadata()
        for key in ["containerd-namespace", "containerd-lease"] {
            for value in metadata[stringValues: key] { passed.addString(value, forKey: key) }
        }
        return passed
    }
}
