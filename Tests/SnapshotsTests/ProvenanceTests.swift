import Digests
import Foundation
import Layers
import Linux
import OCI
import Snapshots
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40))) struct `What images and layers came as` {
    private let test: TestStore

    init() throws { test = try TestStore() }

    private func blob(_ name: String, isVerified: Bool = true) -> LayerBlob {
        LayerBlob(
            digest: SHA256.digest(of: Array(name.utf8)),
            size: UInt64(name.utf8.count),
            mediaType: "application/vnd.oci.image.layer.v1.tar+\(name)",
            annotations: ["name": name, "quoted \"\\\n": "ü"],
            isVerified: isVerified
        )
    }

    /// Not what JSON would be written as: only the very bytes have this digest.
    private func document(_ name: String, _ mediaType: String = MediaType.manifest) -> ImageDocument {
        ImageDocument(mediaType: mediaType, bytes: Array("{\n  \"a\" :\"\(name)\" }\n\u{0}".utf8))
    }

    /// Records an image that came with these.
    @discardableResult
    private func image(
        _ files: [String: String],
        blobs: [LayerBlob] = [],
        documents: [ImageDocument] = [],
        named tags: [String] = []
    ) throws -> ImageRecord {
        let lock = try test.store.lockForChange()
        var layer = try test.layer(files)
        layer.blobs = blobs
        let config = try JSONDocument.encode(ImageConfig(rootfs: .init(diffIDs: [layer.diffID])))
        let image = try test.store.add(
            image: NewImage(
                config: config,
                layers: [layer],
                tags: tags,
                manifestDigest: documents.first?.digest,
                documents: documents
            )
        )
        _ = consume lock
        return image
    }

    @Test func `a manifest that is noted brings no removed image back`() throws {
        let record = try image(["a": "1"], named: ["x"])
        try test.store.note(manifest: document("m"), of: record.id)
        #expect(try test.store.image(named: "x").manifestDigest == document("m").digest)
        #expect(try test.store.document(document("m").digest) == document("m"))
        _ = try test.store.removeImage(named: "x", force: false)
        try test.store.note(manifest: document("m"), of: record.id)
        #expect(try test.store.images().isEmpty)
        _ = try test.store.collect()
        try test.expectClean("removed", test.store)
    }

    @Test func `an image that was recorded without its layers has them when it came again`() throws {
        let lock = try test.store.lockForChange()
        let layer = try test.layer(["a": "1"])
        let config = try JSONDocument.encode(ImageConfig(rootfs: .init(diffIDs: [layer.diffID])))
        let bare = try test.store.add(image: NewImage(config: config, layers: [], tags: ["x"]))
        #expect(bare.layers.isEmpty)
        _ = consume lock
        let whole = try image(["a": "1"], named: ["x"])
        #expect(whole.id == bare.id && whole.layers == [layer.diffID])
        #expect(try test.store.topSnapshot(of: whole.id) != nil)
        try test.expectWhole("healed", test.store)
    }

    @Test func `a layer knows every blob that it came as, as it was said last`() throws {
        let layer = try image(["a": "1"], blobs: [blob("gzip")], named: ["x"]).layers[0]
        #expect(try test.store.blobs(of: layer) == [blob("gzip")])
        try test.store.add(blobs: [blob("zstd", isVerified: false)], to: layer)
        let both = [blob("gzip"), blob("zstd", isVerified: false)].sorted { $0.digest < $1.digest }
        #expect(try test.reopened().blobs(of: layer) == both)
        // A manifest that calls it something else, and does not have its size from the bytes.
        var other = blob("gzip", isVerified: false)
        (other.mediaType, other.annotations, other.size) = ("other", [:], 1)
        try test.store.add(blobs: [other], to: layer)
        let now = try #require(try test.store.blobs(of: layer).first { $0.digest == other.digest })
        #expect(now.mediaType == "other" && now.annotations == [:])
        #expect(now.isVerified && now.size == blob("gzip").size)
        let missing = SHA256.digest(of: [])
        #expect(try test.store.blobs(of: missing) == [])
        #expect(refusal { try test.store.add(blobs: [other], to: missing) } == .notFound)
    }

    @Test func `a blob leads to its layer only if it was read, and for as long as the layer is there`() throws
    {
        let record = try image(["a": "1"], blobs: [blob("gzip", isVerified: false)], named: ["x"])
        let digest = blob("gzip").digest
        #expect(try test.store.layer(ofBlob: digest) == nil)
        // Another layer of which a manifest says the same: the one that was read counts.
        try image(["b": "2"], blobs: [blob("gzip", isVerified: false)], named: ["y"])
        try test.store.add(blobs: [blob("gzip")], to: record.layers[0])
        #expect(try test.store.layer(ofBlob: digest)?.diffID == record.layers[0])
        _ = try test.store.removeImage(named: "x", force: false)
        try test.store.collect()
        #expect(try test.store.layer(ofBlob: digest) == nil)
    }

    @Test func `an image has its manifests and indexes byte for byte, and its name says which came`() throws {
        let (manifest, index) = (document("m"), document("i", MediaType.index))
        let record = try image(["a": "1"], documents: [manifest, index], named: ["x"])
        #expect(try test.reopened().documents(of: record.id) == [manifest, index])
        #expect(try test.store.document(index.digest) == index)
        #expect(try test.store.document(SHA256.digest(of: [])) == nil)
        #expect(try test.store.document(tagged: record.tags[0]) == index.digest)
        for digest in [manifest.digest, index.digest] {
            #expect(try test.store.image(named: "x@\(digest)").id == record.id)
        }
        // Again, compressed in another way and without an index; and a name that was given here.
        let other = document("other")
        try image(["a": "1"], documents: [other], named: ["y"])
        try test.store.tag(record.id, as: "z")
        #expect(try test.store.documents(of: record.id) == [other, manifest, index])
        #expect(try test.store.document(tagged: "docker.io/library/x:latest") == index.digest)
        #expect(try test.store.document(tagged: "docker.io/library/y:latest") == other.digest)
        #expect(try test.store.document(tagged: "docker.io/library/z:latest") == nil)
        // Loaded without any: what is known stays.
        try image(["a": "1"], named: ["x"])
        #expect(try test.store.document(tagged: "docker.io/library/x:latest") == index.digest)
        // A name that another image takes says what that one came as.
        let second = try image(["b": "2"], documents: [document("b")], named: ["x"])
        #expect(try test.store.document(tagged: second.tags[0]) == document("b").digest)
    }

    @Test func `one index can lead to images of several platforms, and stays until the last is gone`() throws
    {
        let index = document("i", MediaType.index)
        let one = try image(["a": "1"], documents: [document("m1"), index], named: ["one"])
        let two = try image(["a": "2"], documents: [document("m2"), index], named: ["two"])
        #expect(try test.store.image(named: "x@\(index.digest)").id == two.id)
        #expect(try test.store.image(named: "x@\(document("m1").digest)").id == one.id)
        _ = try test.store.removeImage(named: "two", force: false)
        #expect(try test.store.document(document("m2").digest) == nil)
        #expect(try test.store.documents(of: one.id) == [document("m1"), index])
        _ = try test.store.removeImage(named: "one", force: false)
        #expect(try test.store.document(index.digest) == nil)
        #expect(try test.store.collect()?.problems == [])
    }

    @Test func `a lease keeps layers that no image has yet, and goes with the image that has them`() throws {
        let store = test.store
        let lock = try store.lockForChange()
        let layers = try ["1", "2"].map { try test.layer(["large": `The collector`.large + $0]) }
        try store.lease("pull", expires: nil, layers: [layers[0]])
        try store.lease("pull", expires: 1 << 62, layers: [layers[1]])
        _ = consume lock
        #expect(try store.leases().first?.layers.sorted() == layers.map(\.diffID).sorted())
        let verdicts = try #require(try store.collect()).verdicts
        #expect(verdicts.filter { $0.kind == .layer }.map(\.reason) == ["lease pull", "lease pull"])
        for layer in layers { #expect(try store.layer(layer.diffID) == layer) }
        #expect(
            try test.layout.layers.names().count == 2
                && StoreCheck.run(test.layout, isDeep: true, repairs: false) == []
        )

        let config = try JSONDocument.encode(ImageConfig(rootfs: .init(diffIDs: [layers[0].diffID])))
        let image = NewImage(config: config, layers: [layers[0]], tags: ["x"])
        _ = try store.add(images: [image], releasing: "pull")
        #expect(try store.leases() == [])
        #expect(try store.collect()?.removed["layers"] == 1)
        try test.expectWhole("named", store)
        try test.expectClean("named", store)

        try store.lease("old", expires: 1, layers: [layers[0]])
        _ = try store.removeImage(named: "x", force: false)
        #expect(try store.collect()?.removed["layers"] == 1)
        #expect(try store.leases() == [])
        try test.expectClean("expired", store)
    }

    @Test func `a manifest that is damaged is found, and whole when it came again`() throws {
        let record = try image(["a": "1"], documents: [document("m")], named: ["x"])
        #expect(try StoreCheck.run(test.layout, isDeep: false, repairs: false) == [])
        try Connection(test.layout.database).run(
            "UPDATE documents SET bytes = ? WHERE digest = ?",
            [1, 2, 3] as [UInt8],
            document("m").digest
        )
        let findings = try StoreCheck.run(test.layout, isDeep: false, repairs: false)
        #expect(
            findings.map(\.images) == [record.tags] && findings.map(\.name) == ["\(document("m").digest)"]
        )
        try image(["a": "1"], documents: [document("m")], named: ["x"])
        #expect(try StoreCheck.run(test.layout, isDeep: false, repairs: false) == [])
    }
}
