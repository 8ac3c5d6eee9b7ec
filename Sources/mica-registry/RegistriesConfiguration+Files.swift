import Glibc
import Linux
import SystemPackage

extension RegistriesConfiguration {
    /// Failure for what can't be read: something in it may be forbidden.
    static func read() throws -> RegistriesConfiguration {
        var configuration = RegistriesConfiguration()
        // What a later one says of the same is instead: mica's own has the last word.
        for (path, isOwn) in shared().map({ ($0, false) }) + own().map({ ($0, true) }) {
            let bytes: [UInt8]
            do {
                bytes = try OwnedFD.open(FilePath(path), O_RDONLY).contents(limit: 1 << 20)
            } catch {
                if [ENOENT, ENOTDIR].contains(error.rawValue) { continue }
                throw Failure("read \(path)", error)
            }
            let document = try TOML.read(String(decoding: bytes, as: UTF8.self), name: path)
            try configuration.add(RegistriesFile(path: path, isOwn: isOwn), document)
        }
        return configuration
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// mica's own: the machine's, then the user's.
    private static func own() -> [String] {
        if let only = variable("MICA_REGISTRIES_CONF") { return [only] }
        let user = variable("XDG_CONFIG_HOME") ?? variable("HOME").map { "\($0)/.config" }
        return (["/etc"] + [user].compactMap(\.self)).map { "\($0)/mica/registries.conf" }
    }

    /// containers' one that counts, and what is beside it, in the order in which later ones win.
    private static func shared() -> [String] {
        if let only = variable("CONTAINERS_REGISTRIES_CONF") { return [only] }
        let homes = ["/etc"] + [variable("HOME")].compactMap { $0.map { "\($0)/.config" } }
        let places = homes.map { "\($0)/containers/registries.conf" }
        let main = places.last { access($0, R_OK) == 0 }
        let others = places.flatMap { place -> [String] in
            let names = (try? FilePath("\(place).d").names()) ?? []
            return names.map { String(decoding: $0, as: UTF8.self) }.filter { $0.hasSuffix(".conf") }.sorted()
                .map { "\(place).d/\($0)" }
        }
        return [main].compactMap(\.self) + others
    }

    private mutating func add(_ file: RegistriesFile, _ document: [String: TOML.Value]) throws {
        if let old = document["registries"] {
            throw file.failure(
                old,
                "this is of version 1, which says mirrors and blocked registries in another way"
            )
        }
        try file.check(document, for: ["unqualified-search-registries", "aliases", "registry"])
        if let names = document["unqualified-search-registries"] {
            search = (
                try file.list(names, "unqualified-search-registries").map { try file.place($0) }, file.path
            )
        }
        for (short, name) in try file.table(document["aliases"], "aliases") {
            aliases[short] = (try file.text(name, "the alias \(short)"), file.path)
        }
        var mine: [Registry] = []
        for entry in try document["registry"].map({ try file.list($0, "registry") }) ?? [] {
            mine.append(try registry(entry, file))
        }
        registries.removeAll { known in mine.contains { $0.prefix == known.prefix } }
        registries += mine
    }

    private func registry(_ entry: TOML.Value, _ file: RegistriesFile) throws -> Registry {
        let table = try file.table(entry, "registry")
        try file.check(
            table,
            for: ["prefix", "location", "insecure", "blocked", "mirror", "mirror-by-digest-only"]
        )
        let location = try table["location"].map { try file.place($0) }
        guard let prefix = try table["prefix"].map({ try file.text($0, "prefix") }) ?? location else {
            throw file.failure(entry, "a registry has neither a prefix nor a location")
        }
        let digestsOnly = try file.truth(table["mirror-by-digest-only"], "mirror-by-digest-only")
        let mirrors = try table["mirror"].map { try file.list($0, "mirror") } ?? []
        return Registry(
            prefix: prefix,
            place: Place(
                location: location ?? prefix,
                isInsecure: try file.truth(table["insecure"], "insecure")
            ),
            isBlocked: try file.truth(table["blocked"], "blocked"),
            mirrors: try mirrors.map { try mirror($0, file, digestsOnly) },
            file: file.path
        )
    }

    private func mirror(_ entry: TOML.Value, _ file: RegistriesFile, _ digestsOnly: Bool) throws -> Place {
        let table = try file.table(entry, "mirror")
        try file.check(table, for: ["location", "insecure", "pull-from-mirror"])
        guard let location = table["location"] else { throw file.failure(entry, "a mirror has no location") }
        let pulls = try table["pull-from-mirror"].map { value in
            let text = try file.text(value, "pull-from-mirror")
            guard ["all", "digest-only", "tag-only"].contains(text) else {
                throw file.failure(value, "pull-from-mirror is all, digest-only or tag-only")
            }
            return text
        }
        return Place(
            location: try file.place(location),
            isInsecure: try file.truth(table["insecure"], "insecure"),
            forTags: !digestsOnly && pulls != "digest-only",
            forDigests: pulls != "tag-only"
        )
    }
}
