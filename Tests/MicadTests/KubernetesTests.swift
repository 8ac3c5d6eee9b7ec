import Foundation
import Glibc
import Linux
import MountFixtures
import Testing

@Suite(
    .timeLimit(.minutes(40)),
    .serialized,
    .enabled(if: ContainerdFixture.isBuilt, "set MICA_BINARIES to where micad is: make micad"),
    .enabled(
        if: ContainerdFixture.isPossible && LoopbackRegistry.isThere,
        "needs root, containerd, runc, busybox-static and docker-registry"
    )
)
struct `Pods of Kubernetes on micad` {
    private let workspace: Workspace
    private let registry: LoopbackRegistry
    private let box: ContainerdFixture

    private var image: String { "\(registry.address)/small:1" }

    init() throws {
        workspace = try Workspace()
        registry = try LoopbackRegistry(in: workspace)
        let pause = "\(registry.address)/pause:1"
        box = try ContainerdFixture(sandboxImage: pause)
        try push(box.archive("small", file: "hello"), "small:1", as: image)
        try push(
            box.archive("pause", file: "", changes: ["ENTRYPOINT [\"/bin/sleep\", \"100000\"]"]),
            "pause:1",
            as: pause
        )
    }

    private func push(_ archive: String, _ name: String, as target: String) throws {
        let mica = Tool.binaries.appendingPathComponent("mica")
        try Tool.run(mica, ["tag", name, target], store: "\(box.path)/archives")
        try Tool.run(mica, ["push", "-q", target], store: "\(box.path)/archives")
    }

    private func cri(_ words: String...) throws -> String {
        try box.client(["cri"] + words)
    }

    private func numbers(_ text: String) -> [Int] { text.split(separator: " ").compactMap { Int($0) } }

    @Test func `are run from a registry's images, written to, measured, kept through restarts, and removed`()
        throws
    {
        #expect(try cri("image", image) == "")
        #expect(try cri("pull", image).hasPrefix("sha256:"))
        #expect(try numbers(cri("image", image)).first ?? 0 > 0)
        #expect(try cri("disk", "-").contains("snapshotter.v1.mica"))
        let ids = try cri(
            "run",
            image,
            "/bin/sh",
            "-c",
            "head -c 3000000 /dev/zero > /new && touch /done; sleep 100000"
        )
        .split(separator: " ").map(String.init)
        try #require(ids.count == 2)
        let (pod, container) = (ids[0], ids[1])
        #expect(try cri("exec", container, "/bin/cat", "/etc/file") == "hello")
        try box.wait("the container to have written") {
            try cri("exec", container, "/bin/ls", "/").contains("done")
        }
        // The writable layer is looked at from time to time.
        try box.wait("what the container wrote to be counted") {
            let stats = try numbers(cri("stats", container))
            return stats.count == 2 && stats[0] > 0 && stats[1] >= 3_000_000
        }
        for signal in [SIGKILL, SIGTERM] {
            try box.endMicad(signal)
            #expect(try cri("exec", container, "/bin/cat", "/etc/file") == "hello")
            try box.startMicad()
            #expect(try cri("exec", container, "/bin/ls", "/").contains("new"))
        }
        // An image that a container has goes with the container, as kubelet's collection would have it.
        _ = try cri("end", pod)
        try box.wait("the mounts to go") { box.micaMounts.isEmpty }
        _ = try cri("remove", image)
        #expect(try cri("image", image) == "")
        _ = try cri("remove", "\(registry.address)/pause:1")
        try box.wait("the images' snapshots to go") {
            try box.ctr("-n", "k8s.io", "snapshots", "--snapshotter", "mica", "ls").split(separator: "\n")
                .count
                == 1
        }
    }
}
