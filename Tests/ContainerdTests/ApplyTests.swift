import Containerd
import Digests
import Layers
import Linux
import Snapshots
import SystemPackage
import Tar
import Testing

@Suite(.timeLimit(.minutes(40)), .enabled(if: ServiceStore.isPossible, "mounts: needs root and /dev/fuse"))
struct `A layer from containerd` {
    private let box: ServiceStore
    private var service: ContainerdSnapshots { box.service }

    init() throws { box = try ServiceStore() }

    private static let key = "default/1/extract-1-ab sha256:c"
    private static let mediaType = "application/vnd.oci.image.layer.v1.tar"

    private func tar(_ name: String, _ content: String = "content") throws -> [UInt8] {
        nonisolated(unsafe) var bytes: [UInt8] = []
        var tar = TarWriter { bytes += Array($0) }
        try tar.add(TarEntry(path: Array(name.utf8), kind: .file), content: Array(content.utf8))
        try tar.finish()
        return bytes
    }

    private func request(_ tar: [UInt8], mediaType: String = Self.mediaType) throws -> LayerBlobRequest {
        try LayerBlobRequest(
            mediaType: mediaType,
            digest: "\(SHA256.digest(of: tar))",
            size: Int64(tar.count)
        )
    }

    private func kind<R>(_ body: () throws -> R) -> Failure.Kind? {
        do {
            _ = try body()
            return nil
        } catch { return (error as? Failure)?.kind }
    }

    /// Unpacks a layer and commits it; the committed one's name is the chain's.
    private func unpack(_ tar: [UInt8], on parent: String = "", labels: [String: String] = [:]) throws
        -> String
    {
        let mounts = try service.prepare(Self.key, parent: parent, labels: labels)
        let layer = try service.apply(request(tar), to: mounts) { MemorySource(tar) }
        #expect(layer.tarSize == UInt64(tar.count))
        let name = "\(layer.diffID) on \(parent)"
        try service.commit(Self.key, as: name, parent: "", labels: labels)
        return name
    }

    @Test func `is in the snapshot it was applied to, without a mount, and is the store's own`() throws {
        let (low, high) = (try tar("a"), try tar("b"))
        let first = try unpack(low)
        let second = try unpack(high, on: first)
        #expect(box.mounted.isEmpty)
        #expect(try box.store.hasLayer(SHA256.digest(of: low)))
        let view = try box.place(service.view("v", parent: second, labels: [:]))
        #expect(try box.text(of: view.appending("a")) == "content")
        #expect(try box.text(of: view.appending("b")) == "content")
        #expect(try service.usage(second).bytes == 7)
    }

    @Test func `is not unpacked again where its chain is here, whoever brought it`() throws {
        let (low, high) = (try tar("a"), try tar("b"))
        let chains = ChainID.all(of: [low, high].map { SHA256.digest(of: $0) }).map { "\($0)" }
        func labels(_ chain: Int) -> [String: String] { [SnapshotLabels.chain: chains[chain]] }
        let mine = try unpack(low)
        _ = try unpack(high, on: mine)

        // Those have no label, so they are not what containerd looks for.
        #expect(kind { try service.prepare("x", parent: "", labels: labels(0)) } == .alreadyExists)
        let filter = try SnapshotFilter(["labels.\"\(SnapshotLabels.chain)\"==\(chains[0]),parent==\"\""])
        let found = try #require(service.list(filter).first)
        #expect(found.kind == .committed)
        #expect(kind { try service.prepare("y", parent: found.name, labels: labels(1)) } == .alreadyExists)
        // Once only.
        let count = try service.list(SnapshotFilter([])).count
        #expect(kind { try service.prepare("z", parent: "", labels: labels(0)) } == .alreadyExists)
        #expect(try service.list(SnapshotFilter([])).count == count)
        // On another parent it is another chain.
        let other = try service.prepare("other", parent: mine, labels: labels(0))
        #expect(other.first?.type == "fuse3.micad")
        #expect(kind { try service.prepare("none", parent: "missing", labels: labels(0)) } == .notFound)
        #expect(try service.prepare("odd", parent: "", labels: [SnapshotLabels.chain: "../x"]).count == 1)
    }

    @Test func `that is another one, or breaks off, leaves the snapshot as it was`() throws {
        let tar = try tar("a")
        let mounts = try service.prepare(Self.key, parent: "", labels: [:])
        for wrong in [Array(tar.dropLast(512)), tar + [0], try self.tar("b"), []] {
            #expect(throws: Failure.self) {
                try service.apply(request(tar), to: mounts) { MemorySource(wrong) }
            }
        }
        struct Broken: Error {}
        #expect(throws: Broken.self) {
            try service.apply(request(tar), to: mounts) { () throws -> MemorySource in throw Broken() }
        }
        _ = try service.apply(request(tar), to: mounts) { MemorySource(tar) }
        // Again, it is not even read.
        _ = try service.apply(request(tar), to: mounts) { () throws -> MemorySource in throw Broken() }
        let other = try self.tar("b")
        #expect(
            kind { try service.apply(request(other), to: mounts) { MemorySource(other) } }
                == .failedPrecondition
        )
        try service.commit(Self.key, as: "done", parent: "", labels: [:])
        try service.cleanUp()
        let view = try box.place(service.view("v", parent: "done", labels: [:]))
        #expect(try box.text(of: view.appending("a")) == "content")
    }

    @Test func `is left to containerd where it is not for a snapshot to be unpacked into`() throws {
        let tar = try tar("a")
        let bind = try service.prepare("container", parent: "", labels: [:])
        let gone = [ServedMount(type: "fuse3.micad", source: "mica:4711", options: [])]
        let odd = [ServedMount(type: "overlay", source: "overlay", options: ["upperdir=/etc"])]
        for mounts in [bind, gone, odd, []] {
            #expect(
                kind { try service.apply(request(tar), to: mounts) { MemorySource(tar) } } == .unimplemented
            )
        }
        #expect(kind { try request(tar, mediaType: Self.mediaType + "+encrypted") } == .unimplemented)
        let none = [("sha256:../../x", 1), ("", 1), ("sha256:\(String(repeating: "a", count: 64))", -1)]
        for (digest, size) in none {
            #expect(
                kind { try LayerBlobRequest(mediaType: Self.mediaType, digest: digest, size: Int64(size)) }
                    == .invalidArgument
            )
        }
    }

    @Test func `counts as a chain only where it is that chain, whatever a label says`() throws {
        let (low, high) = (try tar("a"), try tar("b"))
        let chain = "\(SHA256.digest(of: low))"
        // Another one with its label: by a commit of something else.
        let labels = [SnapshotLabels.chain: chain]
        let forged = try service.prepare("forged-key", parent: "", labels: labels)
        _ = try service.apply(request(high), to: forged) { MemorySource(high) }
        try service.commit("forged-key", as: "forged", parent: "", labels: labels)
        #expect(try service.stat("forged").labels[SnapshotLabels.chain] == nil)
        let filter = try SnapshotFilter(["labels.\"\(SnapshotLabels.chain)\"==\(chain)"])
        #expect(try service.list(filter).isEmpty)
        // And by a change of labels.
        let mine = try unpack(high)
        #expect(
            kind { try service.update(mine, LabelChange(to: labels, paths: [])) } == .invalidArgument
        )
        // So it is unpacked.
        let mounts = try service.prepare("key", parent: "", labels: labels)
        _ = try service.apply(request(low), to: mounts) { MemorySource(low) }
        try service.commit("key", as: "true", parent: "", labels: labels)
        #expect(try service.list(filter).map(\.name) == ["true"])
    }
}
