package import Dockerfile
import Linux
import OCI

/// What the user says about an image that is committed.
package struct CommitOptions: Sendable {
    package var message: String?
    package var author: String?
    package var changes: [ConfigChange]

    package init(message: String? = nil, author: String? = nil, changes: [ConfigChange] = []) {
        self.message = message
        self.author = author
        self.changes = changes
    }

    /// The config of the new image: its parent's, with every member that mica does not know, and one layer
    /// more. `parent` nil: a new one for this machine.
    func config(from parent: [UInt8]?, adding diffID: Digest, to layers: [Digest]) throws -> [UInt8] {
        var image =
            try parent.map { try JSONDocument.decode(JSONValue.self, from: $0, name: "the image's config") }
            ?? CommitOptions.blank
        let created = Timestamp.text(try Timestamp.ofCreation())
        image[folded: "created"] = .string(created)
        image[folded: "author"] = author.map { .string($0) }
        // What docker says of the container that an image was made from is not true of this one.
        image[folded: "container"] = nil
        image[folded: "container_config"] = nil
        image[folded: "rootfs"] = .object([
            "type": .string("layers"), "diff_ids": .array((layers + [diffID]).map { .string("\($0)") }),
        ])
        var entry: [String: JSONValue] = ["created": .string(created), "created_by": .string("mica commit")]
        if let author { entry["author"] = .string(author) }
        if let message { entry["comment"] = .string(message) }
        image[folded: "history"] = .array(
            CommitOptions.history(image[folded: "history"], of: layers.count) + [.object(entry)]
        )
        image[folded: "config"] = try changed(image[folded: "config"])
        return try JSONDocument.encode(image)
    }

    /// The steps so far, with one for each layer: what comes after them is the new layer's.
    private static func history(_ old: JSONValue?, of layers: Int) -> [JSONValue] {
        guard case .array(let steps)? = old else { return unknown(layers) }
        return steps + unknown(layers - steps.count { $0[folded: "empty_layer"] != .bool(true) })
    }

    private static func unknown(_ count: Int) -> [JSONValue] {
        Array(repeating: .object(["created_by": .string("unknown")]), count: max(0, count))
    }

    /// How a container starts, with the changes. What they don't change stays as it is, also what mica does not know.
    private func changed(_ config: JSONValue?) throws -> JSONValue {
        var result = config ?? .object([:])
        if case .null = result { result = .object([:]) }
        guard !changes.isEmpty else { return result }
        var process = try JSONDocument.decode(
            ImageConfig.Process.self,
            from: JSONDocument.encode(result),
            name: "the image's config"
        )
        let before = try members(of: process)
        try ConfigChange.apply(changes, to: &process)
        let after = try members(of: process)
        for name in Set(before.keys).union(after.keys) where before[name] != after[name] {
            result[folded: name] = after[name]
        }
        return result
    }

    private func members(of process: ImageConfig.Process) throws -> [String: JSONValue] {
        try JSONDocument.decode(
            [String: JSONValue].self,
            from: JSONDocument.encode(process),
            name: "the changed config"
        )
    }

    private static var blank: JSONValue {
        var image: JSONValue = .object([
            "architecture": .string(Platform.host.architecture), "os": .string(Platform.host.os),
        ])
        image["variant"] = Platform.host.variant.map { .string($0) }
        return image
    }
}
