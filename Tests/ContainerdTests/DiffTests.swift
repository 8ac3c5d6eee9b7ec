import Containerd
import Digests
import Layers
import Linux
import Snapshots
import SystemPackage
import Tar
import Testing
import OCI

@Suite(.timeLimit(.minutes(40)), .enabled(if: ServiceStore.isPossible, "mounts: needs root and /dev/fuse"))
struct `A snapshot's changes as a blob` {
    private let box: ServiceStore
    private var service: ContainerdSnapshots { box.service }

    init() throws { box = try ServiceStore() }

    private static let tar = LayerMediaType.tar

    private func kind<R>(_ body: () throws -> R) -> Failure.Kind? {
        do {
            _ = try body()
            return nil
        } catch { return (error as? Failure)?.kind }
    }

    private func view(_ parent: String) throws -> [ServedMount] {
        try service.view("view of \(parent)", parent: parent, labels: [:])
    }

    private func diff(
        _ left: [ServedMount],
        _ right: [ServedMount],
        _ mediaType: String = Self.tar,
        notAfter latest: Int64? = nil
    ) throws -> WrittenDiff {
        try service.diff(from: left, to: right, mediaType: mediaType, notAfter: latest) { _ in }
    }

    private func bytes(_ diff: WrittenDiff) throws -> [UInt8] {
        let bytes = try diff.bytes(at: 0, count: 1 << 20)
        #expect(UInt64(bytes.count) == diff.descriptor.size)
        #expect(SHA256.digest(of: bytes) == diff.descriptor.digest)
        return bytes
    }

    private func entries(_ bytes: [UInt8]) throws -> [TarEntry] {
        var reader = TarReader(Decompressor(MemorySource(bytes), named: "the blob"), named: "the blob")
        var entries: [TarEntry] = []
        while let entry = try reader.next() { entries.append(entry) }
        return entries
    }

    private func paths(_ bytes: [UInt8]) throws -> Set<String> {
        Set(try entries(bytes).map { String(decoding: $0.path, as: UTF8.self) })
    }

    @Test func `are those of what runs on it, and of what was committed`() throws {
        try box.commit("one", file: "a")
        let work = try service.prepare("work", parent: "one", labels: [:])
        let place = try box.place(work)
        try box.write("b", to: place.appending("b"))
        try place.appending("a").unlink()
        let parent = try view("one")
        #expect(try paths(bytes(diff(parent, work))).isSuperset(of: ["b", ".wh.a"]))
        try service.commit("work", as: "two", parent: "", labels: [:])
        let committed = try bytes(diff(parent, view("two")))
        #expect(try paths(committed).isSuperset(of: ["b", ".wh.a"]))
        #expect(try bytes(diff([], parent)) == bytes(diff([], parent)))
        #expect(try paths(bytes(diff([], parent))).contains("a"))
    }

    @Test(arguments: ["", "+gzip", "+zstd"])
    func `unpack to the layer that they are committed as`(_ ending: String) throws {
        try box.commit("one", file: "a")
        let work = try service.prepare("work", parent: "one", labels: [:])
        try box.write("b", to: box.place(work).appending("b"))
        let parent = try view("one")
        let diff = try diff(parent, work, Self.tar + ending)
        #expect(diff.descriptor.mediaType == Self.tar + ending)
        #expect((diff.diffID == nil) == ending.isEmpty)
        try service.commit("work", as: "two", parent: "", labels: [:])
        let layer = try box.store.snapshot("two", in: .containerd).layer
        #expect(layer == diff.diffID ?? diff.descriptor.digest)
        // The blob is a layer that can be applied as well.
        let bytes = try bytes(diff)
        let again = try service.prepare("extract-1", parent: "one", labels: [:])
        let request = try LayerBlobRequest(
            mediaType: diff.descriptor.mediaType,
            digest: "\(diff.descriptor.digest)",
            size: Int64(bytes.count)
        )
        #expect(try service.apply(request, to: again) { MemorySource(bytes) }.diffID == layer)
    }

    @Test func `have no time after the one that is asked for, and then are the same again`() throws {
        var made: [[UInt8]] = []
        for number in 0..<2 {
            let work = try service.prepare("work \(number)", parent: "", labels: [:])
            try box.write("b", to: box.place(work).appending("b"))
            made.append(try bytes(diff([], work, Self.tar + "+gzip", notAfter: 1_000_000_000_500_000_000)))
        }
        #expect(made[0] == made[1])
        let times = try entries(made[0]).map(\.modified)
        #expect(times.contains(TarEntry.Time(seconds: 1_000_000_000, nanoseconds: 500_000_000)))
        #expect(times.allSatisfy { $0.seconds <= 1_000_000_000 })
    }

    @Test func `are left to containerd where it compares something else`() throws {
        try box.commit("one", file: "a")
        try box.commit("two", on: "one", file: "b")
        let work = try service.prepare("work", parent: "two", labels: [:])
        let (one, two) = (try view("one"), try view("two"))
        let foreign = [ServedMount(type: "overlay", source: "overlay", options: ["lowerdir=/a:/b"])]
        let elsewhere = [ServedMount(type: "bind", source: "/etc/1", options: ["rbind", "ro"])]
        for (left, right) in [
            (one, work), ([], work), (work, two), (two, one), (two, two), (foreign, work), (two, elsewhere),
            (elsewhere, work),
        ] {
            #expect(kind { try diff(left, right) } == .unimplemented)
        }
        #expect(kind { try diff(two, work, "text/plain") } == .unimplemented)
        #expect(kind { try diff(two, work) } == nil)
    }
}
