package import SystemPackage

import Linux

/// Brings one file of any server, by way of the process mica-registry.
package final class FileFetch: Sendable {
    /// What a server says of a file.
    package struct Description: Sendable, Equatable {
        /// A strong one: the same for the same bytes.
        package var entityTag: String?
        /// Unix seconds.
        package var modified: Int64?
    }

    private let client: RegistryClient

    package init() throws {
        client = try RegistryClient(.init(domain: "localhost", path: "", verifiesTLS: true))
    }

    /// Ends `fetch`, which fails. Any thread may call it.
    package func stop() { client.stop() }

    /// `path`: an empty file; `limit`: bytes that it may come to have. `isKnown` hears what the server says; if it returns
    /// true, nothing more comes, and this returns nil.
    package func fetch(
        _ url: String,
        into path: FilePath,
        limit: UInt64,
        isKnown: (Description) throws -> Bool
    ) throws -> Description? {
        defer { client.close() }
        let id = try client.ask(.fetch, url) {
            $0.size = limit
            $0.path = path.string
        }
        var isFirst = true
        while true {
            let reply = try client.reply(to: id)
            let description = Description(entityTag: reply.entityTag, modified: reply.modified)
            if isFirst, try isKnown(description) { return nil }
            isFirst = false
            if reply.isLast { return description }
        }
    }
}
