import CCurl
import FoundationEssentials
import Glibc
import Linux
import Registry
import Synchronization

/// One repository of a registry, by the OCI distribution specification, version 1.1.
final class Repository: Sendable {
    let domain: String
    let path: String
    let http: HTTP
    private let host: String
    private let authorization: Authorization
    /// The schemes that may serve it; the first one that answered.
    private let schemes: [String]
    private let scheme = Mutex<String?>(nil)
    /// For what is sent.
    let limits = Mutex(UploadLimits())

    /// `credentials`: these, instead of those that there are.
    init(_ endpoint: Endpoint, isToRead: Bool, credentials: Credentials? = nil) throws {
        domain = endpoint.domain
        path = endpoint.path
        host = endpoint.host
        http = HTTP(
            host: endpoint.host,
            certificates: try Certificates(for: endpoint.domain),
            verifies: !endpoint.isInsecure
        )
        authorization = Authorization(
            RegistryName(domain: endpoint.domain, path: endpoint.path),
            http,
            scope: path.isEmpty ? "" : "repository:\(endpoint.path):\(isToRead ? "pull" : "pull,push")",
            credentials: credentials
        )
        // As docker: a registry of this machine need not have TLS.
        schemes = endpoint.isLoopback || endpoint.isInsecure ? ["https", "http"] : ["https"]
    }

    /// For logging in: at the registry itself, not at its mirrors.
    convenience init(_ opening: RegistryMessage.Opening, credentials: Credentials? = nil) throws {
        guard let endpoint = try Endpoint.all(for: opening).last else { throw Failure("no registry") }
        try self.init(endpoint, isToRead: false, credentials: credentials)
    }

    // MARK: - Requests

    /// What is asked of a registry.
    struct Call {
        var method = "GET"
        /// Below /v2/PATH/; or a whole URL, or one from the root on.
        var place: String
        var headers: [String] = []
        /// Seconds that the whole of it may take; nil: as long as bytes come.
        var limit: Int? = 120
        var content: UploadContent?

        /// `place` for messages: a query may be signed, and is a key then.
        var shownPlace: String { Printable.text(String(place.prefix { $0 != "?" })) }
    }

    /// A small answer. Failure for any other status than these.
    func get(_ call: Call, limit: Int, expecting: Set<Int> = [200]) throws -> (HTTP.Response, [UInt8]) {
        var retry = Retry()
        while true {
            do {
                var body: [UInt8] = []
                var isTooLong = false
                let response = try send(call) { bytes, response in
                    // Each answer, also one that another follows, begins anew.
                    body += bytes
                    isTooLong = body.count > limit
                    return !isTooLong
                } failure: {
                    isTooLong
                        ? Failure("registry \(self.domain): \(call.shownPlace) is longer than \(limit) bytes")
                        : nil
                } again: {
                    body = []
                }
                guard expecting.contains(response.status) else {
                    throw refusal(response, call.shownPlace, body)
                }
                return (response, body)
            } catch let reason as Retry.Reason {
                try retry.wait(reason, "registry \(domain): \(call.shownPlace)")
            }
        }
    }

    /// One request, with what the registry wants to see. `again`: an answer is not the last one, because another try
    /// follows. `failure`: why `body` ended it. A `Retry.Reason` is thrown for what may come out otherwise later.
    func send(
        _ call: Call,
        _ body: @escaping (UnsafeRawBufferPointer, HTTP.Response) -> Bool,
        failure: () -> Failure? = { nil },
        again: () -> Void = {}
    ) throws -> HTTP.Response {
        var candidates = scheme.withLock { $0.map { [$0] } } ?? schemes
        // Without credentials, with a token, with a password: a registry that then answers 401 again gets no more.
        var attempts = 3
        while let scheme = candidates.first {
            let url = try url(scheme, call.place)
            let isOurs = Origin(url) == Origin("\(scheme)://\(host)")
            let known = isOurs ? authorization.header : nil
            var request = HTTP.Request(method: call.method, url: url)
            request.headers = call.headers
            request.authorization = known
            request.limit = call.limit
            request.content = call.content
            request.follows = call.method == "GET" || call.method == "HEAD"
            let response: HTTP.Response
            // What an earlier try has sent.
            call.content?.rewind()
            do throws(HTTPError) {
                response = try http.perform(request, body)
            } catch {
                if let failure = failure() ?? call.content?.failure { throw failure }
                if candidates.count > 1, error.isNoTLS {
                    candidates.removeFirst()
                    again()
                    continue
                }
                guard error.isWorthRetrying else { throw Failure("registry \(domain): \(error.text)") }
                throw Retry.Reason(text: error.text)
            }
            self.scheme.withLock { $0 = scheme }
            attempts -= 1
            // Only the registry itself may ask for credentials, not a server that it redirects to.
            if response.status == 401, attempts > 0, isOurs, response.place.hasPrefix("\(scheme)://\(host)/"),
                try authorization.answer(response.challenges, sent: known, to: request.url)
            {
                again()
                continue
            }
            if response.status == 429 || response.status >= 500 && response.status != 501 {
                throw Retry.Reason(text: "it answers \(response.status)", pause: response.pause)
            }
            return response
        }
        throw Failure("registry \(domain) can't be reached")
    }

    private func url(_ scheme: String, _ place: String) throws -> String {
        if place.hasPrefix("/") { return "\(scheme)://\(host)\(place)" }
        guard place.contains("://") else { return "\(scheme)://\(host)/v2/\(path)/\(place)" }
        guard scheme == "http" || Origin(place).isTLS else {
            let there = Printable.text(String(place.prefix { $0 != "?" }))
            throw Failure("registry \(domain) sends to \(there), without TLS")
        }
        return place
    }

    /// Whether it takes these. Failure where not.
    func check(_ credentials: Credentials) throws {
        let call = Call(place: "/v2/")
        var (response, _) = try get(call, limit: 1 << 20, expecting: [200, 401, 403])
        if response.status == 200, authorization.header == nil {
            // It answers without credentials, too: it may still refuse wrong ones.
            authorization.show(credentials)
            response = try get(call, limit: 1 << 20, expecting: [200, 401, 403]).0
        }
        guard response.status == 200 else {
            throw Failure("registry \(domain) does not take this name and password")
        }
    }

    func refusal(_ response: HTTP.Response, _ what: String, _ body: [UInt8]) -> Failure {
        struct Answer: Decodable {
            struct Entry: Decodable { var message: String? }
            var errors: [Entry]?
        }
        let words = (try? JSONDecoder().decode(Answer.self, from: Data(body)))?.errors?.first?.message
        let said = words.map { " (\(Printable.text(String($0.prefix(200)))))" } ?? ""
        switch response.status {
        case 401, 403:
            return Failure(
                "registry \(domain) refuses \(path.isEmpty ? what : path)\(said)",
                advice: "There may be no such repository, or it is private: mica login \(domain)."
            )
        case 404:
            return Failure("registry \(domain) has no \(path) with \(what)\(said)", kind: .notFound)
        case 407: return Failure("registry \(domain): \(HTTP.refusal(byProxy: 407))")
        default: return Failure("registry \(domain): \(what): it answers \(response.status)\(said)")
        }
    }
}
