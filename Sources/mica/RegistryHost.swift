import Linux
import OCI

/// A registry as users write it: `registry.example.com:5000`, `https://index.docker.io/v1/`.
struct RegistryHost {
    let domain: String

    /// Failure if it is not a host.
    init(_ text: String) throws {
        var host = text[...]
        for scheme in ["https://", "http://"] where host.hasPrefix(scheme) {
            host = host.dropFirst(scheme.count)
        }
        host = host.prefix { $0 != "/" }
        if host == "docker" || host == "registry-1.docker.io" { host = "docker.io" }
        // As in a reference, where a word without a dot or a port is not a host.
        let isHost = host.contains { $0 == "." || $0 == ":" } || host == "localhost"
        guard isHost, let reference = try? ImageReference("\(host)/name") else {
            throw Failure(
                "\"\(text)\" is no registry",
                advice: "It is a host, maybe with a port: registry.example.com:5000."
            )
        }
        domain = reference.domain
    }
}
