import FoundationEssentials
import Glibc
import Linux
package import OCI

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

    /// The config of the new image: its parent's, with everything in it that nobody here knows, and one layer
    /// more. `parent` nil: a new one for this machine.
    func config(from parent: [UInt8]?, adding diffID: Digest, to layers: [Digest]) throws -> [UInt8] {
        var image =
            try parent.map { try JSONDocument.decode(JSONValue.self, from: $0, name: "the image's config") }
            ?? CommitOptions.blank
        let created = try CommitOptions.created()
        image["created"] = .string(created)
        image["author"] = author.map { .string($0) }
        // What docker says of the container that an image was made from is not true of this one.
        image["container"] = nil
        image["container_config"] = nil
        image["rootfs"] = .object([
            "type": .string("layers"), "diff_ids": .array((layers + [diffID]).map { .string("\($0)") }),
        ])
        var entry: [String: JSONValue] = ["created": .string(created), "created_by": .string("mica commit")]
        if let author { entry["author"] = .string(author) }
        if let message { entry["comment"] = .string(message) }
        var history: [JSONValue] = []
        if case .array(let old)? = image["history"] { history = old }
        image["history"] = .array(history + [.object(entry)])
        image["config"] = try changed(image["config"])
        return try JSONDocument.encode(image)
    }

    /// How a container starts, with the changes; what nobody here knows stays in it.
    private func changed(_ config: JSONValue?) throws -> JSONValue {
        var result = config ?? .object([:])
        if case .null = result { result = .object([:]) }
        var process = try JSONDocument.decode(
            ImageConfig.Process.self,
            from: JSONDocument.encode(result),
            name: "the image's config"
        )
        // As in a Dockerfile: the CMD that came with the image was for its own ENTRYPOINT.
        var probe = ImageConfig.Process()
        for change in changes { try change.apply(to: &probe) }
        if probe.entrypoint != nil {
            process.command = nil
            result["Cmd"] = nil
        }
        for change in changes { try change.apply(to: &process) }
        let known = try JSONDocument.decode(
            JSONValue.self,
            from: JSONDocument.encode(process),
            name: "the changed config"
        )
        guard case .object(let members) = known else { return result }
        for (name, value) in members { result[name] = value }
        return result
    }

    private static var blank: JSONValue {
        var image: JSONValue = .object([
            "architecture": .string(Platform.host.architecture), "os": .string(Platform.host.os),
        ])
        image["variant"] = Platform.host.variant.map { .string($0) }
        return image
    }

    /// Now, or what SOURCE_DATE_EPOCH says (reproducible-builds.org/specs/source-date-epoch).
    private static func created() throws -> String {
        guard let text = getenv("SOURCE_DATE_EPOCH") else { return Timestamp.text(now() / 1_000_000_000) }
        guard let seconds = Int64(String(cString: text)), seconds >= 0 else {
            throw Failure(
                "SOURCE_DATE_EPOCH is \"\(String(cString: text))\" and should be seconds since 1970"
            )
        }
        return Timestamp.text(seconds)
    }
}
