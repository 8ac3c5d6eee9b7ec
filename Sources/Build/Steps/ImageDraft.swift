import Dockerfile
import Linux
import OCI

/// An image that is being built: what a stage has come to so far.
struct ImageDraft: Sendable {
    /// The config of the image that it began with, with all fields that mica does not know.
    private let base: JSONValue
    private let before: ImageConfig.Process
    var process: ImageConfig.Process
    var author: String?
    /// diffIDs, bottom to top.
    private(set) var layers: [Digest]
    private var history: [JSONValue]
    /// When the last layer was made, seconds since 1970: an image whose steps were all done before is the same one again.
    private var made: Int64?
    /// Of the stage, for those that begin with it; nil before it is built.
    var config: StageConfig?

    /// Nothing, for `platform`.
    init(scratch platform: Platform) {
        var image: JSONValue = .object([
            "architecture": .string(platform.architecture), "os": .string(platform.os),
        ])
        image["variant"] = platform.variant.map { .string($0) }
        base = image
        before = ImageConfig.Process()
        process = before
        layers = []
        history = []
    }

    /// `config`: of an image, whose layers these are.
    init(config: [UInt8], name: String, layers: [Digest]) throws {
        var base = try JSONDocument.decode(JSONValue.self, from: config, name: "the config of \(name)")
        let known = try ImageConfig(json: config, name: "the config of \(name)")
        if case .array(let steps)? = base[folded: "history"] { history = steps } else { history = [] }
        // Layers that nothing is said of.
        let told = history.count { $0[folded: "empty_layer"] != .bool(true) }
        history += Array(
            repeating: .object(["created_by": .string("unknown")]),
            count: max(0, layers.count - told)
        )
        // What docker says of the container that an image was made from is not true of the new one.
        for name in ["container", "container_config", "id", "parent", "history", "rootfs", "created"] {
            base[folded: name] = nil
        }
        self.base = base
        before = known.config ?? ImageConfig.Process()
        process = before
        author = known.author
        made = known.createdSeconds > 0 ? known.createdSeconds : nil
        self.layers = layers
    }

    /// All that is noted from now on has this time.
    mutating func begin(at time: Int64) { made = time }

    /// Notes a step. `layer`: what it made, at `created`; nil: it changed only the config.
    mutating func note(_ text: String, created: Int64, layer: Digest? = nil) {
        if layer != nil { made = created }
        let created = layer == nil ? made ?? created : created
        var entry: [String: JSONValue] = [
            "created": .string(Timestamp.text(created)), "created_by": .string(text),
            "comment": .string("mica build"),
        ]
        if let layer { layers.append(layer) } else { entry["empty_layer"] = .bool(true) }
        history.append(.object(entry))
    }

    /// The image's config. `epoch`: the time of all of it, where that was asked for; `now`: that of an image without layers.
    func json(epoch: Int64?, now: Int64) throws -> [UInt8] {
        let created = epoch ?? made ?? now
        var image = base
        image[folded: "created"] = .string(Timestamp.text(created))
        image[folded: "author"] = author.map { .string($0) }
        image[folded: "rootfs"] = .object([
            "type": .string("layers"), "diff_ids": .array(layers.map { .string("\($0)") }),
        ])
        image[folded: "history"] = .array(history)
        var config = image[folded: "config"] ?? .object([:])
        if case .null = config { config = .object([:]) }
        let (old, new) = (try members(of: before), try members(of: process))
        for name in Set(old.keys).union(new.keys) where old[name] != new[name] {
            config[folded: name] = new[name]
        }
        image[folded: "config"] = config
        return try JSONDocument.encode(image)
    }

    private func members(of process: ImageConfig.Process) throws -> [String: JSONValue] {
        try JSONDocument.decode(
            [String: JSONValue].self,
            from: JSONDocument.encode(process),
            name: "the image's config"
        )
    }
}
