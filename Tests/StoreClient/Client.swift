import Digests
import Layers
import Linux
import OCI
import Snapshots
import SystemPackage
import Tar

import Glibc

/// Does to a store what who serves snapshots does, for as long as it lives, and says on standard output what has
/// happened, a line each and after it has: tests kill it. `StoreClient ROOT NAME SEED`
struct Client {
    let store: Store
    let space: SnapshotSpace
    let name: String
    var random: Seeded
    /// Names of committed snapshots of this client's, without children.
    var committed: [String] = []
    var number = 0

    /// A file that is packed, and one that is an object of its own; some layers several clients have.
    private func tar(_ number: Int) throws -> [UInt8] {
        let box = Box()
        var tar = TarWriter { box.bytes += Array($0) }
        try tar.add(TarEntry(path: Array("small".utf8), kind: .file), content: Array("\(number)".utf8))
        let large = Array(String(repeating: "large \(number % 7) ", count: 8000).utf8)
        try tar.add(TarEntry(path: Array("dir/large".utf8), kind: .file), content: large)
        try tar.finish()
        return box.bytes
    }

    private final class Box { var bytes: [UInt8] = [] }

    private func say(_ words: String...) {
        let line = words.joined(separator: " ") + "\n"
        _ = line.withCString { write(1, $0, strlen($0)) }
    }

    mutating func step() throws {
        number += 1
        let key = "\(name)/\(number)/key"
        let parent = random.below(3) == 0 ? nil : committed.last
        let content = random.below(12)
        switch random.below(8) {
        case 0...2:
            // A layer that comes as a blob.
            try space.prepare(key, parent: parent, labels: ["made": "by \(name)"])
            say("active", key)
            let bytes = try tar(content)
            let blob = Descriptor(
                mediaType: MediaType.layer,
                digest: SHA256.digest(of: bytes),
                size: UInt64(bytes.count)
            )
            let layer = try space.apply(blob, to: key) { MemorySource(bytes) }
            say("applied", key, layer.diffID.hex)
            try commit(key)
        case 3:
            // One that is written to.
            let record = try space.prepare(key, parent: parent)
            let file = store.layout.snapshot(record.id).appending("upper").appending("written")
            try OwnedFD.open(file, O_WRONLY | O_CREAT, mode: 0o644).writeAll(Array("\(number)".utf8))
            try commit(key)
        case 4:
            // A chain that is there, perhaps.
            let diffID = SHA256.digest(of: try tar(content))
            let below = try parent.map { try space.snapshot($0).layers } ?? []
            guard let chain = ChainID.all(of: below + [diffID]).last,
                let record = try space.adopt(chain: chain, as: key, parent: parent)
            else { return }
            committed.append(record.key)
            say("committed", key, diffID.hex)
        case 5:
            guard let key = committed.popLast() else { return }
            do {
                try space.changeLabels(of: key) { $0["changed"] = "\(number)" }
                say("removing", key)
                try space.remove(key)
                say("removed", key)
            } catch let failure as Failure where failure.kind == .failedPrecondition {
                // It has children: some were made on it.
                committed.append(key)
            }
        case 6:
            try addImage(tar(content + 100))
        default:
            try store.collect()
        }
    }

    private mutating func commit(_ key: String) throws {
        let name = key.replacing("key", with: "committed")
        let record = try space.commit(key, as: name, labels: ["number": "\(number)"])
        committed.append(name)
        say("committed", name, record.layer?.hex ?? "")
    }

    /// As a pull does it: a layer that is leased until the image is there, with its documents.
    private func addImage(_ tar: [UInt8]) throws {
        let lock = try store.lockForChange()
        let staged = try LayerImport(layout: store.layout).stage(MemorySource(tar), named: "a layer")
        try staged.publish()
        let layer = NewLayer(
            diffID: staged.diffID,
            tarSize: staged.tarSize,
            contentSize: staged.contentSize,
            blobs: [
                LayerBlob(
                    digest: staged.diffID,
                    size: staged.tarSize,
                    mediaType: MediaType.layer,
                    isVerified: true
                )
            ]
        )
        try store.lease(name, expires: nil, layers: [layer])
        _ = consume lock
        say("leased", name, layer.diffID.hex)
        let config = try JSONDocument.encode(ImageConfig(rootfs: .init(diffIDs: [layer.diffID])))
        let image = NewImage(
            config: config,
            layers: [layer],
            tags: ["\(name):\(layer.diffID.hex.prefix(12))"],
            documents: [
                ImageDocument(mediaType: MediaType.manifest, bytes: Array("{ \(layer.diffID) }".utf8))
            ]
        )
        let again = try store.lockForChange()
        _ = try store.add(images: [image], releasing: name)
        _ = consume again
        say("image", "\(name):\(layer.diffID.hex.prefix(12))", layer.diffID.hex)
    }
}

/// SplitMix64.
struct Seeded {
    var state: UInt64

    mutating func below(_ limit: UInt64) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((z ^ (z >> 31)) % limit)
    }
}
