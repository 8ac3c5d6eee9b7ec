import Linux
import Synchronization

/// What a registry asks for before it answers: nothing, a name and a password, or a token from a server that it names. Kept
/// for later requests.
final class Authorization: Sendable {
    private struct State {
        var header: String?
        var credentials: Credentials?
        var hasLooked = false
    }
    private let state: Mutex<State>
    private let name: RegistryName
    private let tokens: TokenServer

    /// `credentials`: these and no others. `scope`: of the tokens, "repository:PATH:pull"; empty for none.
    init(_ name: RegistryName, _ http: HTTP, scope: String, credentials: Credentials?) {
        self.name = name
        tokens = TokenServer(domain: name.domain, http: http, scope: scope)
        state = Mutex(State(credentials: credentials, hasLooked: credentials != nil))
    }

    /// The line for a request's headers, as far as is known.
    var header: String? { state.withLock { $0.header } }

    /// Later requests have them from the start.
    func show(_ credentials: Credentials) {
        state.withLock { $0.header = "Authorization: \(credentials.basic)" }
    }

    private func credentials() throws -> Credentials? {
        try state.withLock { state in
            if !state.hasLooked {
                state.credentials = try Login.find(name)
                state.hasLooked = true
            }
            return state.credentials
        }
    }

    /// Called after a 401 to a request with the header `sent`. False where there is nothing else to try.
    func answer(_ lines: [String], sent: String?, to url: String) throws -> Bool {
        // Another thread may have got a token meanwhile.
        if let known = header, known != sent { return true }
        // A token first: it may be had without a password.
        let known = lines.flatMap(Challenge.all)
        for challenge in known.filter({ $0.scheme == "bearer" }) + known.filter({ $0.scheme != "bearer" }) {
            switch challenge.scheme {
            case "bearer":
                let token = try tokens.token(challenge, for: url, try credentials())
                return use("Authorization: Bearer \(token)", insteadOf: sent)
            case "basic":
                guard let basic = try credentials()?.basic else { continue }
                return use("Authorization: \(basic)", insteadOf: sent)
            default: continue
            }
        }
        return false
    }

    private func use(_ new: String, insteadOf sent: String?) -> Bool {
        guard new != sent else { return false }
        state.withLock { $0.header = new }
        return true
    }
}
