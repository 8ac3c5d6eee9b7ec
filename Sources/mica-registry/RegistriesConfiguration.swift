import Glibc
import Linux
import SystemPackage

/// Mirrors, registries without TLS or blocked, and short names: what containers' registries.conf (version 2) and mica's own
/// say, which are written in the same way.
struct RegistriesConfiguration {
    struct Place {
        var location: String
        var isInsecure: Bool
        /// Of a mirror: whether it is asked for tags, and for digests.
        var forTags = true
        var forDigests = true
    }

    struct Registry {
        var prefix: String
        var place: Place
        var isBlocked: Bool
        var mirrors: [Place]
        /// That says so.
        var file: String
    }

    var registries: [Registry] = []
    /// Where short names are looked for; nil: nothing is said.
    var search: (registries: [String], file: String)?
    var aliases: [String: (name: String, file: String)] = [:]

    /// What is said of a repository: the longest prefix. `name`: DOMAIN/PATH.
    func registry(of name: String) -> Registry? {
        registries.filter { RegistriesConfiguration.covers($0.prefix, name) }
            .max { $0.prefix.utf8.count < $1.prefix.utf8.count }
    }

    private static func covers(_ prefix: String, _ name: String) -> Bool {
        if prefix.hasPrefix("*.") {
            return name.prefix { $0 != "/" }.prefix { $0 != ":" }.hasSuffix(prefix.dropFirst())
        }
        guard name.hasPrefix(prefix) else { return false }
        return name.utf8.count == prefix.utf8.count || prefix.hasSuffix("/")
            || ["/", ":"].contains(name.dropFirst(prefix.count).first)
    }

    /// `name` at a registry's location, or its mirror's.
    static func moved(_ name: String, from prefix: String, to location: String) -> String {
        guard prefix != location, !location.isEmpty, location != prefix else { return name }
        // A wildcard stands for the whole host.
        if prefix.hasPrefix("*.") { return location + name.drop { $0 != "/" } }
        return location + name.dropFirst(prefix.count)
    }

    /// Failure where a name without a registry could be another registry's than docker.io's.
    func check(short path: String) throws {
        let short = path.hasPrefix("library/") ? String(path.dropFirst("library/".count)) : path
        let dockers = "docker.io/\(path)"
        func ambiguous(_ other: String, _ file: String) -> Failure {
            Failure(
                "\(short) could be \(dockers), or \(other), as \(file) says",
                advice: "Write the whole name of the one that is meant."
            )
        }
        if let alias = aliases[short] {
            guard [dockers, "docker.io/\(short)"].contains(alias.name) else {
                throw ambiguous(alias.name, alias.file)
            }
            return
        }
        guard let search, let first = search.registries.first, first != "docker.io" else { return }
        throw ambiguous("\(first)/\(short)", search.file)
    }
}
