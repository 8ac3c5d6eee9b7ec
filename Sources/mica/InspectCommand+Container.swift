import Containers
import FoundationEssentials
import Layers
import Linux
import OCI
import Runner
import Snapshots
import SystemPackage

extension InspectCommand {
    /// With docker's field names, as far as docker has them. Times are RFC 3339, null for an event that has not
    /// happened.
    static func document(of container: Container, in containers: Containers) throws -> JSONValue {
        let record = container.record
        let config = try JSONDocument.decode(
            JSONValue.self,
            from: record.config,
            name: "container \(record.name): its config"
        )
        let snapshot = try containers.store.snapshot(record.snapshot)
        return .object([
            "Id": .string(record.id),
            "Name": .string(record.name),
            "Image": .string("\(record.image)"),
            "ImageName": .string(record.imageName),
            "Snapshot": .string(record.snapshot),
            "Upper": .string(containers.store.layout.snapshot(snapshot.id).appending("upper").string),
            "Created": time(record.created),
            "Path": .string(container.spec.process.arguments.first ?? ""),
            "Args": .array(container.spec.process.arguments.dropFirst().map { .string($0) }),
            "State": state(of: container, in: containers),
            "Mounts": .array(container.spec.volumes.map(mount)),
            "Config": config,
        ])
    }

    private static func state(of container: Container, in containers: Containers) -> JSONValue {
        let stored = container.files.readState()
        let status = containers.status(of: container)
        var members: [String: JSONValue] = [
            "Status": .string(status.phase.rawValue),
            "Running": .bool(status.phase.isAlive), "Paused": .bool(status.phase == .paused),
            "Restarting": .bool(status.phase == .restarting), "Dead": .bool(false),
            "OOMKilled": .bool(stored?.killedForMemory == true),
            "Pid": .integer(0), "ExitCode": .null,
            "StartedAt": time(stored?.started),
            "FinishedAt": .null, "Error": .string(stored?.error ?? ""),
            "RootLost": .bool(containers.isRootLost(container)),
        ]
        switch status {
        case .created, .restarting: break
        case .running(let process, let since), .paused(let process, let since):
            members["Pid"] = .integer(Int64(process.pid))
            members["StartedAt"] = time(since)
        case .exited(let code, let finished):
            members["ExitCode"] = code.map { .integer(Int64($0)) } ?? .null
            members["FinishedAt"] = time(finished)
        case .unknown(let reason): members["Error"] = .string(reason)
        }
        return .object(members)
    }

    private static func mount(_ volume: Volume) -> JSONValue {
        .object([
            "Type": .string("bind"), "Source": .string(volume.source),
            "Destination": .string(volume.destination),
            "Mode": .string(volume.readOnly ? "ro" : ""), "RW": .bool(!volume.readOnly),
            "Propagation": .string("rprivate"),
        ])
    }

    private static func time(_ nanoseconds: Int64?) -> JSONValue {
        nanoseconds.map { .string(Timestamp.text($0 / 1_000_000_000)) } ?? .null
    }
}
