import Linux
import Registry

/// Where a repository is asked for: its registry, or a mirror.
struct Endpoint {
    /// A host, maybe with a port.
    let domain: String
    let path: String
    /// Neither TLS nor a valid certificate is required.
    let isInsecure: Bool

    /// `name`: DOMAIN/PATH, or DOMAIN.
    private init(_ name: String, isInsecure: Bool) {
        let parts = name.split(separator: "/", maxSplits: 1)
        domain = parts.first.map(String.init) ?? ""
        path = parts.count > 1 ? String(parts[1]) : ""
        self.isInsecure = isInsecure
    }

    /// In the order in which they are asked: mirrors first, unless something is sent. Failure for what is
    /// blocked, and for a short name that could be another one's. `forDigest`: it is a digest that is asked for.
    static func all(for opening: RegistryMessage.Opening) throws -> [Endpoint] {
        let configuration = try RegistriesConfiguration.read()
        if opening.isShort { try configuration.check(short: opening.path) }
        let name = opening.path.isEmpty ? opening.domain : "\(opening.domain)/\(opening.path)"
        let isInsecure = !opening.verifiesTLS
        guard let registry = configuration.registry(of: name) else {
            return [Endpoint(name, isInsecure: isInsecure)]
        }
        guard !registry.isBlocked else { throw Failure("\(name) is blocked by \(registry.file)") }
        func endpoint(_ place: RegistriesConfiguration.Place) -> Endpoint {
            Endpoint(
                RegistriesConfiguration.moved(name, from: registry.prefix, to: place.location),
                isInsecure: isInsecure || place.isInsecure
            )
        }
        let mirrors =
            opening.isToRead
            ? registry.mirrors.filter { opening.isForDigest ? $0.forDigests : $0.forTags } : []
        return mirrors.map(endpoint) + [endpoint(registry.place)]
    }

    var isLoopback: Bool { Origin("http://\(domain)").isLoopback }

    /// docker.io is a name; who serves it has another one.
    var host: String { domain == "docker.io" ? "registry-1.docker.io" : domain }
}
