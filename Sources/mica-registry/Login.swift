import Linux
import Registry

/// Finds, adds and removes names and passwords.
enum Login {
    /// nil where there are none. Failure where a file or a helper does not work.
    static func find(_ name: RegistryName) throws -> Credentials? {
        for path in CredentialFile.paths {
            if let found = try CredentialFile(path)?.find(name) { return found }
        }
        return nil
    }

    /// Asks the registry whether it takes them, then keeps them. Returns what keeps them, in words.
    static func add(_ credentials: Credentials, opening: RegistryMessage.Opening) throws -> String {
        let name = RegistryName(domain: opening.domain, path: "")
        try Repository(opening, credentials: credentials).check(credentials)
        // What is there already must not be found before it.
        let known = try CredentialFile.paths.first { try CredentialFile($0)?.has(name) ?? false }
        guard let path = known ?? CredentialFile.usual else {
            throw Failure(
                "there is no home directory to keep a password in",
                advice: "Set HOME or DOCKER_CONFIG."
            )
        }
        return try CredentialFile.add(credentials, for: name, to: path)
    }

    /// Takes them out of every file in which they are looked for. Returns these.
    static func remove(_ domain: String) throws -> [String] {
        let name = RegistryName(domain: domain, path: "")
        return try CredentialFile.paths.filter { try CredentialFile.remove(name, from: $0) }
    }
}
