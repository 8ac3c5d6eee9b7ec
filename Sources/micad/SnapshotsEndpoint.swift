import Containerd
import ContainerdAPI
import GRPCCore
import Snapshots
import SwiftProtobuf

/// containerd's snapshots service in gRPC's words. The name of the snapshotter in each request is the client's own for
/// the whole service, and makes no difference.
struct SnapshotsEndpoint: Containerd_Services_Snapshots_V1_Snapshots.SimpleServiceProtocol {
    let service: ContainerdSnapshots

    func prepare(
        request: Containerd_Services_Snapshots_V1_PrepareSnapshotRequest,
        context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_PrepareSnapshotResponse {
        let mounts = try await RPCError.answering {
            try service.prepare(request.key, parent: request.parent, labels: request.labels)
        }
        return .with { $0.mounts = mounts.map(Containerd_Types_Mount.init) }
    }

    func view(
        request: Containerd_Services_Snapshots_V1_ViewSnapshotRequest,
        context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_ViewSnapshotResponse {
        let mounts = try await RPCError.answering {
            try service.view(request.key, parent: request.parent, labels: request.labels)
        }
        return .with { $0.mounts = mounts.map(Containerd_Types_Mount.init) }
    }

    func mounts(
        request: Containerd_Services_Snapshots_V1_MountsRequest,
        context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_MountsResponse {
        let mounts = try await RPCError.answering { try service.mounts(request.key) }
        return .with { $0.mounts = mounts.map(Containerd_Types_Mount.init) }
    }

    func commit(
        request: Containerd_Services_Snapshots_V1_CommitSnapshotRequest,
        context: ServerContext
    ) async throws -> Google_Protobuf_Empty {
        try await RPCError.answering {
            try service.commit(request.key, as: request.name, parent: request.parent, labels: request.labels)
        }
        return Google_Protobuf_Empty()
    }

    func remove(
        request: Containerd_Services_Snapshots_V1_RemoveSnapshotRequest,
        context: ServerContext
    ) async throws -> Google_Protobuf_Empty {
        try await RPCError.answering { try service.remove(request.key) }
        return Google_Protobuf_Empty()
    }

    func stat(
        request: Containerd_Services_Snapshots_V1_StatSnapshotRequest,
        context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_StatSnapshotResponse {
        let info = try await RPCError.answering { try service.stat(request.key) }
        return .with { $0.info = .init(info) }
    }

    func update(
        request: Containerd_Services_Snapshots_V1_UpdateSnapshotRequest,
        context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_UpdateSnapshotResponse {
        let info = try await RPCError.answering {
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
        var rest = try await RPCError.answering { try service.list(SnapshotFilter(request.filters)) }[...]
        // A message has a largest size, which labels alone could exceed if there were thousands in one.
        while !rest.isEmpty {
            let infos = rest.prefix(100).map(Containerd_Services_Snapshots_V1_Info.init)
            rest = rest.dropFirst(100)
            try await response.write(.with { $0.info = infos })
        }
    }

    func usage(
        request: Containerd_Services_Snapshots_V1_UsageRequest,
        context: ServerContext
    ) async throws -> Containerd_Services_Snapshots_V1_UsageResponse {
        let usage = try await RPCError.answering { try service.usage(request.key) }
        return .with {
            $0.size = Int64(clamping: usage.bytes)
            $0.inodes = Int64(clamping: usage.inodes)
        }
    }

    func cleanup(
        request: Containerd_Services_Snapshots_V1_CleanupRequest,
        context: ServerContext
    ) async throws -> Google_Protobuf_Empty {
        try await RPCError.answering { try service.cleanUp() }
        return Google_Protobuf_Empty()
    }
}
