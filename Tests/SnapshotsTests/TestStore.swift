import Digests
import Foundation
import Layers
import Linux
import OCI
import Scratch
import Snapshots
import SystemPackage
import Tar

import Glibc

/// A store in a private directory that goes with the value.
final class TestStore {
    let base: FilePath
    let layout: StoreLayout
    let store: Store
    private let isOwner: Bool

    static let isRoot = geteuid() == 0

    init() throws {
        var template = Array("\(Scratch.prefix("snapshots", in: "/var/tmp"))XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno.last }
        base = FilePath(platformString: template)
        layout = StoreLayout(root: base.appending("store"))
        store = try Store.open(layout)
        isOwner = true
    }

    /// The same directory, as a process has it that opened it for itself.
    init(sharing other: TestStore, _ store: Store) {
        (base, layout, self.store, isOwner) = (other.base, other.layout, store, false)
    }

    deinit { if isOwner { try? base.removeTree() } }

    /// Another one for the same directory, as another process has it.
    func reopened() throws -> Store { try Store.open(layout) }

    /// A layer of these files (path → content), published.
    func layer(_ files: [String: String], links: [String: String] = [:]) throws -> NewLayer {
        let bytes = Box()
        var tar = TarWriter { bytes.bytes += Array($0) }
        for (path, target) in links.sorted(by: { $0.key < $1.key }) {
            try tar.add(
                TarEntry(path: Array(path.utf8), kind: .symbolicLink, linkTarget: Array(target.utf8))
            )
        }
        for (path, content) in files.sorted(by: { $0.key < $1.key }) {
            try tar.add(TarEntry(path: Array(path.utf8), kind: .file), content: Array(content.utf8))
        }
        try tar.finish()
        let staged = try LayerImport(layout: layout).stage(MemorySource(bytes.bytes), named: "a test's layer")
        try staged.publish()
        return NewLayer(diffID: staged.diffID, tarSize: staged.tarSize, contentSize: staged.contentSize)
    }

    /// An image of layers, each of these files.
    @discardableResult
    func image(_ layers: [[String: String]], named tags: [String] = [], note: String = "") throws
        -> ImageRecord
    {
        let lock = try store.lockForChange()
        let layers = try layers.map { try layer($0) }
        var config = ImageConfig(rootfs: .init(diffIDs: layers.map(\.diffID)))
        config.author = note
        config.created = "2024-02-29T12:00:00Z"
        config.os = "linux"
        let json = try JSONDocument.encode(config)
        let image = try store.add(image: NewImage(config: json, layers: layers, tags: tags))
        _ = consume lock
        return image
    }

    func container(_ name: String, of image: ImageRecord) throws -> ContainerRecord {
        let id = String((0..<64).map { _ in "0123456789abcdef".randomElement() ?? "0" })
        try store.prepare(
            id,
            parent: image.layers.isEmpty ? nil : "\(ChainID.all(of: image.layers).last ?? image.id)"
        )
        let record = ContainerRecord(
            id: id,
            name: name,
            image: image.id,
            imageName: name,
            snapshot: id,
            created: 1,
            config: Array("{}".utf8)
        )
        try store.add(container: record)
        return record
    }

    func upper(_ key: String) throws -> FilePath {
        try layout.snapshot(store.snapshot(key).id).appending("upper")
    }

    func write(_ key: String, _ path: String, _ content: String) throws {
        let file = try upper(key).appending(path)
        try file.removingLastComponent().makeDirectories()
        try Data(content.utf8).write(to: URL(fileURLWithPath: file.string))
    }

    func chain(_ layers: [Digest]) throws -> [String: TreeEntry] {
        try TreeEntry.list(ChainStore(layout: layout).index(for: layers), layout)
    }

    private final class Box {
        var bytes: [UInt8] = []
    }
}

/// The kind of failure that `body` ends in; nil when it doesn't.
func refusal(_ body: () throws -> Void) -> Failure.Kind? {
    do {
        try body()
        return nil
    } catch let failure as Failure {
        return failure.kind
    } catch {
        return .other
    }
}

@discardableResult
func shell(_ script: String, in directory: FilePath) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-euc", script]
    process.currentDirectoryURL = URL(fileURLWithPath: directory.string)
    let output = Foundation.Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failure("the script failed: \(text)") }
    return text
}
