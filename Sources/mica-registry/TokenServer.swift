import FoundationEssentials
import Linux

/// The server of tokens that a registry's challenges name.
struct TokenServer: Sendable {
    let domain: String
    let http: HTTP
    /// Where a challenge names none; empty for none.
    let scope: String

    /// `url`: what the challenge was about.
    func token(_ challenge: Challenge, for url: String, _ credentials: Credentials?) throws -> String {
        let response = try http.collect(try request(challenge, for: url, credentials), domain: domain)
        struct Answer: Decodable {
            var token: String?
            var access_token: String?
        }
        switch response.status {
        case 200: break
        case 400, 401, 403:
            throw Failure(
                credentials == nil
                    ? "registry \(domain) gives no token for this without a password"
                    : "registry \(domain) does not take the name and password that there are for it",
                advice: "mica login \(domain)"
            )
        case 429, 500...:
            throw Retry.Reason(
                text: "its server of tokens answers \(response.status)",
                pause: response.pause
            )
        default: throw Failure("registry \(domain): its server of tokens answers \(response.status)")
        }
        let answer = try? JSONDecoder().decode(Answer.self, from: Data(response.body))
        let tokens = [answer?.token, answer?.access_token].compactMap(\.self)
        guard let token = tokens.first(where: { !$0.isEmpty }),
            token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { throw Failure("registry \(domain): its server of tokens sends none") }
        return token
    }

    private func request(_ challenge: Challenge, for url: String, _ credentials: Credentials?) throws
        -> HTTP.Request
    {
        guard let realm = challenge.parameters["realm"], var place = URLComponents(string: realm) else {
            throw Failure("registry \(domain) wants a token and does not say from where")
        }
        let scheme = place.scheme?.lowercased()
        guard scheme == "https" || scheme == "http" && url.hasPrefix("http:") else {
            throw Failure("registry \(domain) sends for its tokens to \(Printable.text(realm)), without TLS")
        }
        guard scheme == "https" || credentials == nil || Origin(realm).isOnHost(of: Origin(url)) else {
            throw Failure(
                "registry \(domain) wants the password sent to \(Printable.text(realm)), without TLS"
            )
        }
        // Several are one each.
        var scopes = (challenge.parameters["scope"] ?? "").split(separator: " ").map(String.init)
        if !scope.isEmpty, !scopes.contains(scope) { scopes.append(scope) }
        let service = challenge.parameters["service"] ?? ""
        var request: HTTP.Request
        if let refresh = credentials?.identityToken {
            // OAuth 2: a form.
            let fields = [
                ("service", service), ("scope", scopes.joined(separator: " ")),
                ("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "mica"),
            ]
            request = HTTP.Request(method: "POST", url: realm)
            // The token goes to no other server.
            request.follows = false
            request.form = fields.filter { !$0.1.isEmpty }
                .map { "\($0.0)=\(TokenServer.escaped($0.1))" }.joined(separator: "&")
        } else {
            let fields = [("service", service)].filter { !$0.1.isEmpty } + scopes.map { ("scope", $0) }
            place.queryItems = (place.queryItems ?? []) + fields.map { URLQueryItem(name: $0.0, value: $0.1) }
            // Else a plus would be a blank to the server.
            place.percentEncodedQuery = place.percentEncodedQuery?.replacing("+", with: "%2B")
            request = HTTP.Request(url: place.string ?? realm)
            if let basic = credentials?.basic { request.authorization = "Authorization: \(basic)" }
        }
        request.limit = 60
        return request
    }

    /// As a form's value.
    private static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            let hex = String(byte, radix: 16, uppercase: true)
            return isPlain ? String(UnicodeScalar(byte)) : "%\(byte < 16 ? "0" : "")\(hex)"
        }.joined()
    }
}

extension HTTP.Response {
    /// Seconds after which to ask again, as it says.
    var pause: Double? { headers["retry-after"].flatMap { Double($0) } }
}

extension HTTP {
    struct Document {
        var status: Int
        var pause: Double?
        var body: [UInt8]
    }

    /// A small answer of a server that a registry names. Retry.Reason where another try may help.
    fileprivate func collect(_ request: Request, domain: String) throws -> Document {
        var body: [UInt8] = []
        do throws(HTTPError) {
            let response = try perform(request) { bytes, _ in
                body += bytes
                return body.count <= 1 << 20
            }
            return Document(status: response.status, pause: response.pause, body: body)
        } catch {
            let text = "its server of tokens: \(error.text)"
            if error.isWorthRetrying { throw Retry.Reason(text: text) }
            throw Failure("registry \(domain): \(text)")
        }
    }
}
