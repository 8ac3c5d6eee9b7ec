import Registry

/// The name and password that there are for a registry.
package struct RegistryAccount: Sendable {
    private let opening: RegistryMessage.Opening

    /// `domain`: as in a reference.
    package init(_ domain: String, verifiesTLS: Bool = true) {
        opening = RegistryMessage.Opening(domain: domain, path: "", verifiesTLS: verifiesTLS)
    }

    /// Keeps them, once the registry has taken them. Returns where, in words.
    package func login(user: String, password: String) throws -> String {
        let client = try RegistryClient(opening)
        defer { client.close() }
        return try client.login(user: user, password: password)
    }

    /// Forgets them. Returns the files in which they were.
    package func logout() throws -> [String] {
        let client = try RegistryClient(opening)
        defer { client.close() }
        return try client.logout()
    }
}
