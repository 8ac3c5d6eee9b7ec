import Digests
import Foundation
import Layers
import Linux
import Snapshots
import SystemPackage
import Testing

extension TestStore {
    /// Whether everything that is recorded is there, whole.
    func expectWhole(_ comment: Comment, _ store: Store) throws {
        var stacks = try store.images().map(\.layers)
        let snapshots = try store.snapshots() + store.snapshots(in: .containerd)
        stacks += snapshots.map(\.layers)
        for stack in Set(stacks) { #expect(throws: Never.self, comment) { _ = try chain(stack) } }
        for snapshot in snapshots where snapshot.kind == .active {
            let directory = layout.snapshot(snapshot.id)
            #expect(directory.appending("upper").exists && directory.appending("work").exists, comment)
        }
    }

    /// Whether nothing is on disk but what is recorded: true after a collection.
    func expectClean(_ comment: Comment, _ store: Store) throws {
        func names(_ directory: FilePath) throws -> Set<String> {
            Set(try directory.names().map { String(decoding: $0, as: UTF8.self) })
        }
        let snapshots = try store.snapshots() + store.snapshots(in: .containerd)
        let layers = Set(try store.images().flatMap(\.layers) + snapshots.flatMap(\.layers))
        #expect(try names(layout.layers) == Set(layers.map(\.hex)), comment)
        let active = snapshots.filter { $0.kind == .active }.map { "\($0.id)" }
        #expect(try names(layout.snapshots) == Set(active), comment)
        #expect(try names(layout.tmp) == [], comment)
        let chains = ChainStore(layout: layout)
        var objects: Set<Digest> = []
        for layer in layers {
            let index = try chains.layer(layer)
            for number in 0..<index.objectCount { objects.insert(try index.object(number).digest) }
        }
        var found: Set<Digest> = []
        for shard in try names(layout.objects) {
            for name in try names(layout.objects.appending(shard)) {
                found.insert(try #require(Digest(hex: shard + name)))
            }
        }
        #expect(found == objects, comment)
        let live = (snapshots.map(\.layers) + (try store.images().map(\.layers))).compactMap {
            chains.path(for: $0).lastComponent?.string
        }
        #expect(try names(layout.chains).isSubset(of: live), comment)
    }
}
