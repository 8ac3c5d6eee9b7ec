import Containerd
import ContainerdAPI
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Linux
import OCI
import SwiftProtobuf

import FoundationEssentials

extension ContentStore {
    /// Of a compressed layer: the digest of its tar.
    private static let uncompressed = "containerd.io/uncompressed"
    /// Of a message, bytes.
    private static let piece = 1 << 20

    /// Brings a blob into the content store, under the name `reference` while it is on its way, with these labels. One that
    /// is there already only gets the label that it may lack. `metadata`: of the request that is answered.
    func write(
        _ diff: WrittenDiff,
        as reference: String,
        labels: [String: String],
        for metadata: Metadata
    ) async throws {
        var labels = labels
        if let diffID = diff.diffID { labels[ContentStore.uncompressed] = "\(diffID)" }
        let all = labels
        try await connected { client in
            let content = Content.Client(wrapping: client)
            let leased = try await leased(metadata, client)
            do { try await send(diff, as: reference, labels: all, with: leased, to: content) } catch let
                error as RPCError where error.code == .alreadyExists
            {
                try await complete(diff, with: leased, in: content)
            }
        }
    }

    private func send(
        _ diff: WrittenDiff,
        as reference: String,
        labels: [String: String],
        with metadata: Metadata,
        to content: Content.Client<HTTP2ClientTransport.Posix>
    ) async throws {
        let (digest, size) = ("\(diff.descriptor.digest)", Int64(clamping: diff.descriptor.size))
        let request = StreamingClientRequest<Containerd_Services_Content_V1_WriteContentRequest>(
            metadata: metadata
        ) { writer in
            var offset: Int64 = 0
            while true {
                let place = UInt64(offset)
                let data = try await BlockingWork.changing {
                    try diff.bytes(at: place, count: ContentStore.piece)
                }
                // What an earlier attempt has left under the name goes with what is written at 0.
                let isLast = data.isEmpty
                try await writer.write(
                    .with {
                        $0.action = isLast ? .commit : .write
                        $0.ref = reference
                        $0.total = size
                        $0.expected = digest
                        $0.offset = offset
                        $0.data = Data(data)
                        if isLast { $0.labels = labels }
                    }
                )
                if isLast { return }
                offset += Int64(data.count)
            }
        }
        try await content.write(request: request) { response in for try await _ in response.messages {} }
    }

    /// Another client has written the same bytes before, perhaps without saying what they unpack to.
    private func complete(
        _ diff: WrittenDiff,
        with metadata: Metadata,
        in content: Content.Client<HTTP2ClientTransport.Posix>
    ) async throws {
        guard let diffID = diff.diffID else { return }
        let digest = "\(diff.descriptor.digest)"
        let known = try await content.info(
            request: ClientRequest(message: .with { $0.digest = digest }, metadata: metadata)
        )
        guard known.info.labels[ContentStore.uncompressed] == nil else { return }
        _ = try await content.update(
            request: ClientRequest(
                message: .with {
                    $0.info.digest = digest
                    $0.info.labels = [ContentStore.uncompressed: "\(diffID)"]
                    $0.updateMask.paths = ["labels.\(ContentStore.uncompressed)"]
                },
                metadata: metadata
            )
        )
    }
}
