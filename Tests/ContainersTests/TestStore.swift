import ContainerFixtures
import Containers
import Foundation
import Layers
import Linux
import Runner
import Snapshots
import Synchronization
import SystemPackage

import Glibc

/// A store with an image `box` without layers; what mounts it shows a busybox root below its snapshots.
final class TestStore: Sendable {
    let root: TestRoot
    let store: Store
    let containers: Containers
    var layout: StoreLayout { store.layout }

    init(config: String = #"{"Cmd":["sh"],"Env":["IMAGE=1"]}"#) throws {
        root = try TestRoot()
        store = try Store.open(StoreLayout(root: root.base.appending("store")))
        containers = Containers(store, roots: KernelOverlay(lower: root.path))
        let json =
            #"{"architecture":"amd64","os":"linux","config":\#(config),"rootfs":{"type":"layers","diff_ids":[]}}"#
        _ = try store.add(image: NewImage(config: Array(json.utf8), layers: [], tags: ["box"]))
    }

    func request(_ command: [String], _ change: (inout RunRequest) -> Void = { _ in }) -> RunRequest {
        var request = RunRequest(image: "box")
        request.command = command
        change(&request)
        return request
    }

    /// Creates a container and runs it on a thread of its own, which lives as long as it does.
    func run(_ command: [String], _ change: (inout RunRequest) -> Void = { _ in }) throws
        -> (container: Container, status: Int32, output: String)
    {
        let container = try containers.create(request(command, change))
        let output = Mutex<[UInt8]>([])
        let status = try containers.run(
            container,
            Containers.Attachment { _, bytes in output.withLock { $0.append(contentsOf: bytes) } }
        )
        return (container, status.rawValue, output.withLock { String(decoding: $0, as: UTF8.self) })
    }

    /// Nothing of the store's is mounted, and nothing is left in tmp/.
    func isClean() throws -> Bool {
        try MountTable.current().targets(below: root.base).isEmpty && layout.tmp.names().isEmpty
    }
}

/// Stands in for micafs where tests must run without FUSE.
struct KernelOverlay: RootMount {
    let lower: FilePath

    func mount(
        _ tree: RootTree,
        at target: FilePath,
        lock: CInt,
        log: FilePath,
        meanwhile: () throws -> Void
    ) throws {
        try meanwhile()
        guard let snapshot = tree.snapshot else {
            guard Glibc.mount(lower.string, target.string, nil, UInt(MS_BIND), nil) == 0 else {
                throw Errno.last
            }
            return
        }
        let options =
            "lowerdir=\(lower),upperdir=\(snapshot.appending("upper")),workdir=\(snapshot.appending("work"))"
        guard Glibc.mount("overlay", target.string, "overlay", 0, options) == 0 else { throw Errno.last }
    }
}
