import ContainerdAPI
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import SwiftProtobuf

/// What containerd 1.7 and newer do with a diff service, for tests with a containerd that can't: snapshots through
/// containerd, layers through micad.
///
///     MicadClient CONTAINERD MICAD apply NAME PARENT DIGEST SIZE MEDIATYPE    the digest of the layer's tar
///     MicadClient CONTAINERD MICAD diff KEY PARENT MEDIATYPE [unlabelled]     the digest of the blob
///     MicadClient CONTAINERD MICAD crowd COUNT LOCK                           how many of COUNT snapshots were prepared
///     MicadClient CONTAINERD MICAD prepare KEY PARENT CHAIN                   how it ends: ok, or a status
///     MicadClient CONTAINERD MICAD active KEY                                 where the new snapshot is mounted
///     MicadClient CONTAINERD MICAD mounts KEY                                 where a snapshot is mounted
///     MicadClient CONTAINERD MICAD cri …                                      see `ContainerRuntime`
@main
struct MicadClient {
    private typealias Snapshots = Containerd_Services_Snapshots_V1_Snapshots
    private typealias Diff = Containerd_Services_Diff_V1_Diff
    private typealias Transport = HTTP2ClientTransport.Posix

    /// Else containerd's collector takes what nothing refers to.
    private static let kept = ["containerd.io/gc.root": "test"]

    private let snapshots: Snapshots.Client<Transport>
    private let differ: Diff.Client<Transport>
    private let metadata: Metadata = ["containerd-namespace": "default"]

    static func main() async {
        do { try await serve() } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        }
    }

    private static func serve() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count > 3 else {
            throw RPCError(code: .invalidArgument, message: "too few arguments")
        }
        try await withClient(at: arguments[0]) { containerd in
            if arguments[2] == "cri", arguments.count > 4 {
                let runtime = ContainerRuntime(containerd)
                return print(try await runtime.run(arguments[3], arguments[4], Array(arguments[5...])))
            }
            try await withClient(at: arguments[1]) { micad in
                let client = MicadClient(
                    snapshots: Snapshots.Client(wrapping: containerd),
                    differ: Diff.Client(wrapping: micad)
                )
                print(try await client.run(arguments[2], Array(arguments[3...])))
            }
        }
    }

    private static func withClient(
        at socket: String,
        _ body: @Sendable (GRPCClient<Transport>) async throws -> Void
    ) async throws {
        let transport = try Transport(target: .unixDomainSocket(path: socket), transportSecurity: .plaintext)
        try await withGRPCClient(transport: transport) { try await body($0) }
    }

    private func run(_ verb: String, _ words: [String]) async throws -> String {
        switch (verb, words.count) {
        case ("apply", 5):
            return try await apply(words[0], words[1], words[2], Int64(words[3]) ?? -1, words[4])
        case ("diff", 3): return try await diff(words[0], words[1], words[2], labels: Self.kept)
        case ("diff", 4): return try await diff(words[0], words[1], words[2], labels: [:])
        case ("crowd", 2): return try await crowd(Int(words[0]) ?? 0, words[1])
        case ("prepare", 3):
            do {
                _ = try await prepare(words[0], words[1], ["containerd.io/snapshot.ref": words[2]])
            } catch let
                error as RPCError
            {
                return "\(error.code)"
            }
            return "ok"
        case ("active", 1): return try await prepare(words[0], "", [:]).map(\.source).joined(separator: "\n")
        case ("mounts", 1): return try await mounts(words[0]).map(\.source).joined(separator: "\n")
        default: throw RPCError(code: .invalidArgument, message: "\(verb) with \(words.count) words")
        }
    }

    private func prepare(_ key: String, _ parent: String, _ labels: [String: String]) async throws
        -> [Containerd_Types_Mount]
    {
        let request = Containerd_Services_Snapshots_V1_PrepareSnapshotRequest.with {
            $0.snapshotter = "mica"
            $0.key = key
            $0.parent = parent
            $0.labels = labels.merging(Self.kept) { $1 }
        }
        return try await snapshots.prepare(request: ClientRequest(message: request, metadata: metadata))
            .mounts
    }

    private func mounts(_ key: String) async throws -> [Containerd_Types_Mount] {
        let request = Containerd_Services_Snapshots_V1_MountsRequest.with {
            $0.snapshotter = "mica"
            $0.key = key
        }
        return try await snapshots.mounts(request: ClientRequest(message: request, metadata: metadata)).mounts
    }

    private func view(_ key: String, _ parent: String) async throws -> [Containerd_Types_Mount] {
        let request = Containerd_Services_Snapshots_V1_ViewSnapshotRequest.with {
            $0.snapshotter = "mica"
            $0.key = key
            $0.parent = parent
            $0.labels = Self.kept
        }
        return try await snapshots.view(request: ClientRequest(message: request, metadata: metadata)).mounts
    }

    private func apply(
        _ name: String,
        _ parent: String,
        _ digest: String,
        _ size: Int64,
        _ mediaType: String
    ) async throws -> String {
        let key = "extract-\(name)"
        let mounts = try await prepare(key, parent, [:])
        let request = Containerd_Services_Diff_V1_ApplyRequest.with {
            $0.diff.digest = digest
            $0.diff.size = size
            $0.diff.mediaType = mediaType
            $0.mounts = mounts
        }
        let applied = try await differ.apply(request: ClientRequest(message: request, metadata: metadata))
            .applied
        let commit = Containerd_Services_Snapshots_V1_CommitSnapshotRequest.with {
            $0.snapshotter = "mica"
            $0.key = key
            $0.name = name
            $0.labels = Self.kept
        }
        _ = try await snapshots.commit(request: ClientRequest(message: commit, metadata: metadata))
        return applied.digest
    }

    private func diff(
        _ key: String,
        _ parent: String,
        _ mediaType: String,
        labels: [String: String]
    ) async throws -> String {
        let right = try await mounts(key)
        let left = try await view("\(key)-parent", parent)
        let request = Containerd_Services_Diff_V1_DiffRequest.with {
            $0.left = left
            $0.right = right
            $0.mediaType = mediaType
            $0.labels = labels
        }
        return try await differ.diff(request: ClientRequest(message: request, metadata: metadata)).diff.digest
    }

    /// Has snapshots prepared that wait for a store's lock, which this process has, and asks meanwhile what there is.
    private func crowd(_ count: Int, _ lock: String) async throws -> String {
        let file = open(lock, O_RDWR | O_CLOEXEC)
        guard file >= 0, flock(file, LOCK_EX) == 0 else {
            throw RPCError(code: .internalError, message: "lock \(lock)")
        }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                group.addTask {
                    _ = try await prepare("crowd-\(number)", "", ["containerd.io/snapshot.ref": "none"])
                }
            }
            var options = CallOptions.defaults
            options.timeout = .seconds(300)
            let list = Containerd_Services_Snapshots_V1_ListSnapshotsRequest.with { $0.snapshotter = "mica" }
            _ = try await snapshots.list(
                request: ClientRequest(message: list, metadata: metadata),
                options: options
            ) { response in for try await _ in response.messages {} }
            close(file)
            try await group.waitForAll()
            return "\(count)"
        }
    }
}
