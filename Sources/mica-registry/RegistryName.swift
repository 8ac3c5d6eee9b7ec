/// What a registry, and a repository of it, is called in files with names and passwords.
struct RegistryName {
    let domain: String
    /// Of the repository; empty where only the registry is meant.
    let path: String

    /// docker's own name of docker.io, by which its files have it.
    private static let dockers = "https://index.docker.io/v1/"

    /// The registry's names.
    var keys: [String] {
        domain == "docker.io"
            ? ["docker.io", RegistryName.dockers, "index.docker.io", "registry-1.docker.io"]
            : [
                domain, "https://\(domain)", "https://\(domain)/", "http://\(domain)",
                "https://\(domain)/v1/",
            ]
    }

    /// The names of an entry for the repository, the longest first (containers-auth.json(5)), and the registry's.
    var repositoryKeys: [String] {
        let parts = path.split(separator: "/")
        return (0..<parts.count).map { left in
            "\(domain)/\(parts.dropLast(left).joined(separator: "/"))"
        } + keys
    }

    /// What a new entry in the file at `path` is called.
    func newKey(in path: String) -> String {
        domain == "docker.io" && path.hasSuffix("config.json") ? RegistryName.dockers : domain
    }
}
