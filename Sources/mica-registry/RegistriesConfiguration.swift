import Glibc
import Linux
import SystemPackage

/// containers' registries.conf (version 2): mirrors, registries without TLS or blocked, and short names.
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

    private(set) var registries: [Registry] = []
    /// Where podman looks for short names; nil: nothing is said.
    private(set) var search: (registries: [String], file: String)?
    private(set) var aliases: [String: (name: String, file: String)] = [:]

    /// Failure for what can't be read: something in it may be forbidden.
    static func read() throws -> RegistriesConfiguration {
        var configuration = RegistriesConfiguration()
        for file in files() {
            let bytes: [UInt8]
            do {
                bytes = try OwnedFD.open(FilePath(file), O_RDONLY).contents(limit: 1 << 20)
            } catch {
                if error == .noSuchFileOrDirectory { continue }
                throw Failure("read \(file)", error)
            }
            try configuration.add(try TOML.read(String(decoding: bytes, as: UTF8.self), name: file), file)
        }
        return configuration
    }

    /// The one that counts, and what is beside it, in the order in which later ones win.
    private static func files() -> [String] {
        if let own = getenv("CONTAINERS_REGISTRIES_CONF"), own.pointee != 0 { return [String(cString: own)] }
        let homes = ["/etc"] + [getenv("HOME")].compactMap { $0.map { "\(String(cString: $0))/.config" } }
        let places = homes.map { "\($0)/containers/registries.conf" }
        let main = places.last { access($0, R_OK) == 0 }
        let others = places.flatMap { place -> [String] in
            let names = (try? FilePath("\(place).d").names()) ?? []
            return names.map { String(decoding: $0, as: UTF8.self) }.filter { $0.hasSuffix(".conf") }.sorted()
                .map { "\(place).d/\($0)" }
        }
        return [main].compactMap(\.self) + others
    }

    private mutating func add(_ document: [String: TOML.Value], _ file: String) throws {
        func wrong(_ what: String) -> Failure { Failure("\(file): \(what) is not of the kind it should be") }
        if document["registries"] != nil {
            throw Failure("\(file) is of version 1, which says mirrors and blocked registries in another way")
        }
        if let names = document["unqualified-search-registries"] {
            guard let list = names.list else { throw wrong("unqualified-search-registries") }
            search = (list.compactMap(\.text), file)
        }
        for (short, name) in document["aliases"]?.table ?? [:] { aliases[short] = (name.text ?? "", file) }
        for entry in document["registry"]?.list ?? [] {
            guard let table = entry.table else { throw wrong("registry") }
            let location = table["location"]?.text
            guard let prefix = table["prefix"]?.text ?? location else {
                throw Failure("\(file): a registry has neither a prefix nor a location")
            }
            let digestsOnly = table["mirror-by-digest-only"]?.truth ?? false
            let registry = Registry(
                prefix: prefix,
                place: Place(
                    location: location ?? prefix,
                    isInsecure: table["insecure"]?.truth ?? false
                ),
                isBlocked: table["blocked"]?.truth ?? false,
                mirrors: try (table["mirror"]?.list ?? []).map { mirror in
                    guard let table = mirror.table, let location = table["location"]?.text else {
                        throw wrong("a mirror of \(prefix)")
                    }
                    let pulls = table["pull-from-mirror"]?.text ?? "all"
                    return Place(
                        location: location,
                        isInsecure: table["insecure"]?.truth ?? false,
                        forTags: !digestsOnly && pulls != "digest-only",
                        forDigests: pulls != "tag-only"
                    )
                },
                file: file
            )
            // What a later file says of the same is instead.
            registries.removeAll { $0.prefix == prefix && $0.file != file }
            registries.append(registry)
        }
    }

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
