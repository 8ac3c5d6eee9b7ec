import Containerd
import ContainerdAPI
import CoreMetrics
import GRPCCore
import Snapshots
import SwiftProtobuf

/// containerd's snapshots service in gRPC's words. The name of the snapshotter in each request is the client's own for
/// the whole service, and makes no difference.
struct SnapshotsEndpoint: Containerd_Services_Snapshots_V1_Snapshots.SimpleServiceProtocol {
    let service: ContainerdSnapshots

    /// Of a message with snapshots, bytes: a quarter of what gRPC's clients take without being told to take more.
    private static let largestMessage = 1 << 20

    func prepare(
        request: Containerd_Services_Snapshots_V1_PrepareSnapshotRequest,
        context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_PrepareSnapshotResponse {
        let mounts = try await RPCError.answering(.changing) {
            try service.prepare(request.key, parent: request.parent, labels: request.labels)
        }
        return .with { $0.mounts = mounts.map(Containerd_Types_Mount.init) }
    }

    func view(
        request: Containerd_Services_Snapshots_V1_ViewSnapshotRequest,
        context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_ViewSnapshotResponse {
        let mounts = try await RPCError.answering(.changing) {
            try service.view(request.key, parent: request.parent, labels: request.labels)
        }
        return .with { $0.mounts = mounts.map(Containerd_Types_Mount.init) }
    }

    func mounts(
        request: Containerd_Services_Snapshots_V1_MountsRequest,
        context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_MountsResponse {
        let mounts = try await RPCError.answering(.changing) { try service.mounts(request.key) }
        return .with { $0.mounts = mounts.map(Containerd_Types_Mount.init) }
    }

    func commit(
        request: Containerd_Services_Snapshots_V1_CommitSnapshotRequest,
        context: ServerContext
    ) async throws -> Google_Protobuf_Empty {
        try await RPCError.answering(.changing) {
            try service.commit(request.key, as: request.name, parent: request.parent, labels: request.labels)
        }
        return Google_Protobuf_Empty()
    }

    func remove(
        request: Containerd_Services_Snapshots_V1_RemoveSnapshotRequest,
        context: ServerContext
    ) async throws -> Google_Protobuf_Empty {
        try await RPCError.answering(.changing) { try service.remove(request.key) }
        return Google_Protobuf_Empty()
    }

    func stat(
        request: Containerd_Services_Snapshots_V1_StatSnapshotRequest,
        context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_StatSnapshotResponse {
        let info = try await RPCError.answering(.looking) { try service.stat(request.key) }
        return .with { $0.info = .init(info) }
    }

    func update(
        request: Containerd_Services_Snapshots_V1_UpdateSnapshotRequest,
        context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_UpdateSnapshotResponse {
        let info = try await RPCError.answering(.changing) {
            let change = try LabelChange(to: request.info.labels, paths: request.updateMask.paths)
            return try service.update(request.info.name, change)
        }
        return .with { $0.info = .init(info) }
    }

    func list(
        request: Containerd_Services_Snapshots_V1_ListSnapshotsRequest,
        response: RPCWriter<Containerd_Services_Snapshots_V1_ListSnapshotsResponse>,
        context: ServerContext
    ) async throws {
        let found = try await RPCError.answering(.looking) {
            try service.list(SnapshotFilter(request.filters))
        }
        var infos: [Containerd_Services_Snapshots_V1_Info] = []
        var size = 0
        for info in found {
            // Clients take messages up to a size, of which labels alone can have a lot.
            if size + info.size > SnapshotsEndpoint.largestMessage || infos.count == 1000 {
                try await response.write(.with { $0.info = infos })
                (infos, size) = ([], 0)
            }
            infos.append(.init(info))
            size += info.size
        }
        if !infos.isEmpty { try await response.write(.with { $0.info = infos }) }
    }

    func usage(
        request: Containerd_Services_Snapshots_V1_UsageRequest,
        context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_UsageResponse {
        let usage = try await RPCError.answering(.looking) { try service.usage(request.key) }
        return .with {
            $0.size = Int64(clamping: usage.bytes)
            $0.inodes = Int64(clamping: usage.inodes)
        }
    }

    func cleanup(
        request: Containerd_Services_Snapshots_V1_CleanupRequest,
        context: ServerContext
    ) async throws -> Google_Protobuf_Empty {
        let freed = try await RPCError.answering(.changing) { try service.cleanUp() }
        Counter(label: "micad_cleanups_total").increment()
        Counter(label: "micad_freed_bytes_total").increment(by: Int64(clamping: freed))
        return Google_Protobuf_Empty()
    }
}
