import Containerd
import CoreMetrics
import Snapshots

/// What is looked at when it is asked for, because the store is also changed by others: snapshots, mounts, room.
struct StoreMetrics: Sendable {
    static let help = [
        "micad_requests_total": "Requests by method and status.",
        "micad_request_duration_seconds": "How long requests took.",
        "micad_applied_bytes_total": "Tars of layers that were made the content of snapshots, bytes.",
        "micad_diff_bytes_total": "Blobs of snapshots' changes that were written, bytes.",
        "micad_cleanups_total": "Collections that a client asked for.",
        "micad_freed_bytes_total": "What those collections have freed, bytes.",
        "micad_snapshots": "containerd's snapshots in the store, by kind.",
        "micad_mounts": "Mounts of containerd's snapshots that a micafs serves.",
        "micad_store_free_bytes": "What is free on the store's file system.",
        "micad_store_size_bytes": "The size of the store's file system.",
    ]

    let service: ContainerdSnapshots

    func update() throws {
        let now = try service.census()
        for (kind, count) in now.snapshots {
            gauge("micad_snapshots", Double(count), [("kind", kind.name)])
        }
        gauge("micad_mounts", Double(now.mounts))
        guard let disk = now.disk else { return }
        gauge("micad_store_free_bytes", Double(disk.free))
        gauge("micad_store_size_bytes", Double(disk.size))
    }

    private func gauge(_ name: String, _ value: Double, _ labels: [(String, String)] = []) {
        Recorder(label: name, dimensions: labels, aggregate: false).record(value)
    }
}
