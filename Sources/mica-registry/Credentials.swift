import FoundationEssentials
import Glibc
import Linux
import SystemPackage

/// Whose name and password a registry gets: docker's config.json and containers' auth.json, and the helpers that these
/// name. Never printed.
struct Credentials {
    let user: String
    let password: String
    /// A token to get tokens with, instead of a password.
    var identityToken: String?

    /// For HTTP Basic.
    var basic: String { "Basic " + Data("\(user):\(password)".utf8).base64EncodedString() }

    /// nil where there are none. Failure where a helper does not work.
    static func find(for domain: String) throws -> Credentials? {
        for file in files {
            guard let data = FileManager.default.contents(atPath: file), !data.isEmpty else { continue }
            guard let config = try? JSONDecoder().decode(Config.self, from: data) else {
                throw Failure("\(file) can't be read as JSON with names and passwords of registries")
            }
            for key in keys(domain) {
                if let helper = config.credHelpers?[key] { return try ask(helper, key) }
                if let entry = config.auths?[key], let found = entry.credentials { return found }
            }
            if let helper = config.credsStore, !helper.isEmpty {
                for key in keys(domain) { if let found = try ask(helper, key) { return found } }
            }
        }
        return nil
    }

    /// In the order in which they count.
    static var files: [String] {
        func variable(_ name: String) -> String? {
            getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
        }
        let home = variable("HOME")
        return [
            variable("REGISTRY_AUTH_FILE"), variable("DOCKER_CONFIG").map { "\($0)/config.json" },
            variable("XDG_RUNTIME_DIR").map { "\($0)/containers/auth.json" },
            home.map { "\($0)/.config/containers/auth.json" }, home.map { "\($0)/.docker/config.json" },
        ].compactMap(\.self)
    }

    /// What a registry is called there.
    private static func keys(_ domain: String) -> [String] {
        domain == "docker.io"
            ? ["docker.io", "https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io"]
            : [domain, "https://\(domain)", "https://\(domain)/", "http://\(domain)"]
    }

    private struct Config: Decodable {
        struct Entry: Decodable {
            enum CodingKeys: CodingKey { case auth, identitytoken }
            var auth: String?
            var identitytoken: String?

            /// What is odd here may be another registry's.
            init(from decoder: any Decoder) {
                let members = try? decoder.container(keyedBy: CodingKeys.self)
                auth = try? members?.decode(String.self, forKey: .auth)
                identitytoken = try? members?.decode(String.self, forKey: .identitytoken)
            }

            var credentials: Credentials? {
                let text = auth.flatMap { Data(base64Encoded: $0) }.map {
                    String(decoding: $0, as: UTF8.self)
                }
                let parts = (text ?? "").split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2 else { return nil }
                return Credentials(
                    user: String(parts[0]),
                    password: String(parts[1]),
                    identityToken: identitytoken.flatMap { $0.isEmpty ? nil : $0 }
                )
            }
        }
        var auths: [String: Entry]?
        var credHelpers: [String: String]?
        var credsStore: String?
    }

    /// docker-credential-NAME, which gets the registry's name and answers in JSON. nil where it knows none.
    private static func ask(_ helper: String, _ key: String) throws -> Credentials? {
        guard !helper.contains("/") else { throw Failure("docker-credential-\(helper) is no program's name") }
        struct Answer: Decodable {
            let Username: String
            let Secret: String
        }
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        let name = "docker-credential-\(helper)"
        guard
            let program: String = path.split(separator: ":").map({ "\($0)/\(name)" }).first(where: {
                access($0, X_OK) == 0
            })
        else { throw Failure("\(name), which keeps the passwords, is not installed") }
        let (said, isDone) = try run(program, ["get"], input: key)
        let text = String(decoding: said, as: UTF8.self)
        // What helpers of docker's say where there is nothing.
        if !isDone, text.contains("credentials not found") { return nil }
        guard isDone, let answer = try? JSONDecoder().decode(Answer.self, from: Data(said)) else {
            let line = text.split(separator: "\n").first.map { Printable.text(String($0.prefix(200))) } ?? ""
            throw Failure(
                "\(name), which keeps the passwords, fails: \(isDone ? "it answers no JSON" : line)"
            )
        }
        guard answer.Username != "<token>" else {
            return Credentials(user: "", password: "", identityToken: answer.Secret)
        }
        return Credentials(user: answer.Username, password: answer.Secret)
    }

    /// What a program says to `input`, and whether it succeeds.
    private static func run(
        _ program: String,
        _ arguments: [String],
        input: String
    ) throws -> (said: [UInt8], isDone: Bool) {
        let toIt = try naming("make a pipe") { try Pipe() }
        let fromIt = try naming("make a pipe") { try Pipe() }
        let process = try HostProcess(
            [program] + arguments,
            descriptors: [toIt.read.raw, fromIt.write.raw, nil]
        )
        let sink = toIt.takeWriteEnd()
        try? sink.writeAll(Array(input.utf8))
        _ = consume sink
        let said = try? fromIt.takeReadEnd().contents(limit: 1 << 20)
        return (said ?? [], (try? process.wait()) == 0)
    }
}
