import Layers
import Linux
import Snapshots
import SystemPackage

import Glibc

let words = CommandLine.arguments
guard words.count == 4, let seed = UInt64(words[3]) else { exit(2) }
do {
    let store = try Store.open(StoreLayout(root: FilePath(words[1])))
    var client = Client(
        store: store,
        space: SnapshotSpace(.containerd, of: store),
        name: words[2],
        random: Seeded(state: seed)
    )
    while true { try client.step() }
} catch {
    _ = "\(error)\n".withCString { write(2, $0, strlen($0)) }
    exit(1)
}
