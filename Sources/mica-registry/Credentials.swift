import FoundationEssentials

/// A name and a password for a registry, or a token. Never printed.
struct Credentials {
    let user: String
    let password: String
    /// A token to get tokens with, instead of a password.
    var identityToken: String?

    init(user: String, password: String, identityToken: String? = nil) {
        self.user = user
        self.password = password
        self.identityToken = identityToken.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// As files have it: base64 of "NAME:PASSWORD". nil for anything else.
    init?(encoded text: String, identityToken: String?) {
        guard let data = Data(base64Encoded: text) else { return nil }
        let parts = String(decoding: data, as: UTF8.self)
            .split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        // docker pads with zeros.
        let password = parts[1].prefix { $0 != "\0" }
        self.init(user: String(parts[0]), password: String(password), identityToken: identityToken)
    }

    var encoded: String { Data("\(user):\(password)".utf8).base64EncodedString() }

    /// For HTTP Basic.
    var basic: String { "Basic \(encoded)" }
}
