import ImageFixtures
import Images
import Layers
import Linux
import OCI
import Snapshots
import SystemPackage

import Glibc

/// A store and a place for archives, both gone after the test.
struct TestStore {
    let directory: TemporaryDirectory
    let store: Store

    init() throws {
        directory = try TemporaryDirectory()
        store = try Store.open(StoreLayout(root: directory.path.appending("store")))
    }

    func write(_ fixture: ArchiveFixture, as name: String = "app.tar") throws -> ImageInput {
        try directory.write(name, fixture.tar())
        return .path(directory.path.appending(name))
    }

    @discardableResult
    func load(_ input: ImageInput, as name: String? = nil) throws -> [ImageLoad.Loaded] {
        try ImageLoad(store: store).load(input, as: try name.map { try ImageReference($0) }) { _ in }
    }

    func save(_ names: [String]) throws -> [UInt8] {
        final class Sink { var bytes: [UInt8] = [] }
        let sink = Sink()
        try ImageSave(store: store).save(names) { sink.bytes.append(contentsOf: $0) }
        return sink.bytes
    }

    /// A file in the store that nothing refers to; nil where there is none.
    func leftover() throws -> String? {
        for place in [store.layout.tmp, store.layout.layers, store.layout.objects] {
            if let name = try place.names().first {
                return "\(place)/\(String(decoding: name, as: UTF8.self))"
            }
        }
        return nil
    }
}

func failure(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no failure"
    } catch { return "\(error)" }
}
