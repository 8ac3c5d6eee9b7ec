import FoundationEssentials
import Linux
import Synchronization

/// What a registry wants to see before it answers: nothing, a name and a password, or a token that it names a server
/// for. Kept for the requests to come.
final class Authorization: Sendable {
    private struct State {
        var header: String?
        var credentials: Credentials?
        var hasLooked = false
    }
    private let state: Mutex<State>
    private let domain: String
    private let http: HTTP
    private let scope: String

    /// `scope`: of the tokens, "repository:PATH:pull".
    init(_ domain: String, _ http: HTTP, scope: String) {
        self.domain = domain
        self.http = http
        self.scope = scope
        state = Mutex(State())
    }

    /// The line for a request's headers, as far as is known.
    var header: String? { state.withLock { $0.header } }

    private func credentials() throws -> Credentials? {
        try state.withLock { state in
            if !state.hasLooked {
                state.credentials = try Credentials.find(for: domain)
                state.hasLooked = true
            }
            return state.credentials
        }
    }

    /// After a 401. False where there is nothing else to try: what was sent, which was `sent`, is no good.
    func answer(_ challenges: [String], sent: String?, to url: String) throws -> Bool {
        // Another thread may have got a token meanwhile.
        if let known = header, known != sent { return true }
        // A token first: it may be had without a password.
        let known = challenges.compactMap(Challenge.init)
        for challenge in known.filter({ $0.scheme == "bearer" }) + known.filter({ $0.scheme != "bearer" }) {
            switch challenge.scheme {
            case "bearer":
                let new = "Authorization: Bearer \(try token(challenge, for: url))"
                guard new != sent else { return false }
                state.withLock { $0.header = new }
                return true
            case "basic":
                guard let basic = try credentials()?.basic else { continue }
                let new = "Authorization: \(basic)"
                guard new != sent else { return false }
                state.withLock { $0.header = new }
                return true
            default: continue
            }
        }
        return false
    }

    private func token(_ challenge: Challenge, for url: String) throws -> String {
        guard let realm = challenge.parameters["realm"], var place = URLComponents(string: realm) else {
            throw Failure("registry \(domain) wants a token and does not say from where")
        }
        let scheme = place.scheme?.lowercased()
        guard scheme == "https" || scheme == "http" && url.hasPrefix("http:") else {
            throw Failure("registry \(domain) sends for its tokens to \(Printable.text(realm)), without TLS")
        }
        let credentials = try credentials()
        var fields = [
            ("service", challenge.parameters["service"] ?? ""),
            ("scope", challenge.parameters["scope"] ?? scope),
        ]
        fields.removeAll { $0.1.isEmpty }
        var request: HTTP.Request
        if let refresh = credentials?.identityToken {
            // OAuth 2: a form.
            fields += [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "mica")]
            request = HTTP.Request(method: "POST", url: realm)
            // Nobody else gets it, wherever the server sends.
            request.follows = false
            request.form = fields.map { "\($0.0)=\(Authorization.escaped($0.1))" }.joined(separator: "&")
        } else {
            place.queryItems = (place.queryItems ?? []) + fields.map { URLQueryItem(name: $0.0, value: $0.1) }
            // Else a plus would be a blank to the server.
            place.percentEncodedQuery = place.percentEncodedQuery?.replacing("+", with: "%2B")
            request = HTTP.Request(url: place.string ?? realm)
            if let basic = credentials?.basic { request.headers = ["Authorization: \(basic)"] }
        }
        request.limit = 60
        let (response, body) = try collect(request)
        struct Answer: Decodable {
            var token: String?
            var access_token: String?
        }
        switch response.status {
        case 200: break
        case 401, 403:
            throw Failure(
                credentials == nil
                    ? "registry \(domain) gives nobody a token for this without a password"
                    : "registry \(domain) does not take the name and password that there are for it",
                advice: "docker login \(domain), or podman login."
            )
        case 429, 500...:
            throw Retry.Reason(
                text: "its server of tokens answers \(response.status)",
                pause: response.headers["retry-after"].flatMap { Double($0) }
            )
        default: throw Failure("registry \(domain): its server of tokens answers \(response.status)")
        }
        let answer = try? JSONDecoder().decode(Answer.self, from: Data(body))
        let tokens = [answer?.token, answer?.access_token].compactMap(\.self)
        guard let token = tokens.first(where: { !$0.isEmpty }),
            token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { throw Failure("registry \(domain): its server of tokens sends none") }
        return token
    }

    private func collect(_ request: HTTP.Request) throws -> (HTTP.Response, [UInt8]) {
        var body: [UInt8] = []
        do throws(HTTPError) {
            let response = try http.perform(request) { bytes, _ in
                body += bytes
                return body.count <= 1 << 20
            }
            return (response, body)
        } catch {
            let text = "its server of tokens: \(error.text)"
            if error.isWorthRetrying { throw Retry.Reason(text: text) }
            throw Failure("registry \(domain): \(text)")
        }
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
