import Digests
import OCI
import Snapshots

/// The sizes of images in bytes, by the files of layers that they share with other images or have alone.
struct LayerSizes {
    private var sizes: [Digest: UInt64] = [:]
    /// The number of images with a layer.
    private var users: [Digest: Int] = [:]

    init(_ store: Store) throws {
        for image in try store.images() {
            for layer in Set(image.layers) {
                users[layer, default: 0] += 1
                if sizes[layer] == nil { sizes[layer] = try store.layer(layer)?.contentSize ?? 0 }
            }
        }
    }

    func size(_ layer: Digest) -> UInt64 { sizes[layer] ?? 0 }

    /// Counts each layer once.
    var total: UInt64 { sum(sizes.keys) }

    func shared(_ image: ImageRecord) -> UInt64 { sum(Set(image.layers).filter { users[$0] ?? 0 > 1 }) }

    func unique(_ image: ImageRecord) -> UInt64 { sum(Set(image.layers).filter { users[$0] ?? 0 < 2 }) }

    /// The bytes that removing `images` would free.
    func freed(by images: [ImageRecord]) -> UInt64 {
        var left = users
        for image in images { for layer in Set(image.layers) { left[layer, default: 0] -= 1 } }
        return sum(left.filter { $0.value <= 0 }.keys)
    }

    private func sum(_ layers: some Sequence<Digest>) -> UInt64 {
        layers.reduce(0) { $0.addingReportingOverflow(size($1)).partialValue }
    }
}
