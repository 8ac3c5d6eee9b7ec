import Containerd
import ContainerdAPI
import CoreMetrics
import GRPCCore
import Linux
import Logging
import OCI
import Snapshots
import SwiftProtobuf

/// containerd's diff service in gRPC's words: layers come from its content store into mica's, and changes go from mica's
/// into containerd's, and nothing is mounted or unpacked for that. What this service does not do is `unimplemented`:
/// containerd asks the next differ then.
struct DiffEndpoint: Containerd_Services_Diff_V1_Diff.ServiceProtocol {
    let service: ContainerdSnapshots
    let content: ContentStore
    let log: Logger

    func apply(
        request: ServerRequest<Containerd_Services_Diff_V1_ApplyRequest>,
        context: ServerContext
    ) async throws -> ServerResponse<Containerd_Services_Diff_V1_ApplyResponse> {
        let message = request.message
        let (service, content, metadata) = (service, content, request.metadata)
        let mounts = message.mounts.map(ServedMount.init)
        let (wanted, wants) = AsyncStream.makeStream(of: Void.self)
        let source = BlobSource()
        let layer = try await withThrowingTaskGroup(of: Void.self) { group in
            // Only once the store wants it: a layer that is known is not read again.
            group.addTask {
                for await _ in wanted {
                    return await content.read(message.diff.digest, for: metadata, into: source)
                }
            }
            defer {
                wants.finish()
                source.abandon()
                group.cancelAll()
            }
            return try await RPCError.answering(.changing) {
                let blob = try LayerBlobRequest(
                    mediaType: message.diff.mediaType,
                    digest: message.diff.digest,
                    size: message.diff.size
                )
                return try service.apply(blob, to: mounts) {
                    wants.yield()
                    return BlobReader(source: source)
                }
            }
        }
        Counter(label: "micad_applied_bytes_total").increment(by: Int64(clamping: layer.tarSize))
        return ServerResponse(
            message: .with {
                $0.applied.mediaType = LayerMediaType.tar
                $0.applied.digest = "\(layer.diffID)"
                $0.applied.size = Int64(clamping: layer.tarSize)
            }
        )
    }

    func diff(
        request: ServerRequest<Containerd_Services_Diff_V1_DiffRequest>,
        context: ServerContext
    ) async throws -> ServerResponse<Containerd_Services_Diff_V1_DiffResponse> {
        let message = request.message
        let (service, log) = (service, log)
        let (left, right) = (message.left.map(ServedMount.init), message.right.map(ServedMount.init))
        let latest = message.hasSourceDateEpoch ? try message.sourceDateEpoch.unixNanoseconds : nil
        let diff = try await RPCError.answering(.changing) {
            try service.diff(from: left, to: right, mediaType: message.mediaType, notAfter: latest) {
                warning in
                log.warning("not in the layer", metadata: ["what": "\(Printable.text(warning))"])
            }
        }
        let digest = "\(diff.descriptor.digest)"
        // A name of its own: two clients that make the same diff are not to wait for one another.
        let reference = message.ref.isEmpty ? "mica-\(UInt64.random(in: 0 ... .max))-\(digest)" : message.ref
        try await content.write(diff, as: reference, labels: message.labels, for: request.metadata)
        Counter(label: "micad_diff_bytes_total").increment(by: Int64(clamping: diff.descriptor.size))
        return ServerResponse(
            message: .with {
                $0.diff.mediaType = diff.descriptor.mediaType
                $0.diff.digest = digest
                $0.diff.size = Int64(clamping: diff.descriptor.size)
            }
        )
    }
}

extension ServedMount {
    init(_ mount: Containerd_Types_Mount) {
        self.init(type: mount.type, source: mount.source, options: mount.options)
    }
}

extension Google_Protobuf_Timestamp {
    /// invalidArgument outside of the years 1678 to 2261.
    fileprivate var unixNanoseconds: Int64 {
        get throws {
            let (whole, isLarge) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
            let (sum, isLarger) = whole.addingReportingOverflow(Int64(nanos))
            guard !isLarge, !isLarger else {
                throw RPCError(
                    code: .invalidArgument,
                    message: "source_date_epoch \(seconds) is no time of a file"
                )
            }
            return sum
        }
    }
}
