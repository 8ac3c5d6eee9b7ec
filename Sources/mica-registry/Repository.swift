import CCurl
import FoundationEssentials
import Glibc
import Linux
import Registry
import Synchronization

/// One repository of a registry, by the OCI distribution specification, version 1.1.
final class Repository: Sendable {
    let domain: String
    private let path: String
    private let http: HTTP
    private let authorization: Authorization
    /// The schemes that may serve it; the first one that answered.
    private let schemes: [String]
    private let scheme = Mutex<String?>(nil)

    init(_ opening: RegistryMessage.Opening) {
        domain = opening.domain
        path = opening.path
        let isHere = Repository.isLoopback(opening.domain)
        http = HTTP(
            certificates: Certificates(for: opening.domain),
            verifies: opening.verifiesTLS,
            isLoopback: isHere
        )
        authorization = Authorization(domain, http, scope: "repository:\(opening.path):pull")
        // As docker: a registry of this machine need not have TLS.
        schemes = isHere || !opening.verifiesTLS ? ["https", "http"] : ["https"]
    }

    private static func isLoopback(_ domain: String) -> Bool {
        let host = domain.prefix { $0 != ":" }
        // A name may begin with a number, too.
        let isAddress = host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) }
        return host == "localhost" || isAddress && host.hasPrefix("127.")
            || domain == "[::1]" || domain.hasPrefix("[::1]:")
    }

    /// docker.io is a name; who serves it has another one.
    private var host: String { domain == "docker.io" ? "registry-1.docker.io" : domain }

    // MARK: - What is asked

    private static let manifestTypes = [
        "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]

    func manifest(_ name: String) throws -> (mediaType: String, body: [UInt8]) {
        let accept = "Accept: \(Repository.manifestTypes.joined(separator: ", "))"
        let (response, body) = try get("manifests/\(name)", [accept], limit: 4 << 20)
        let type = response.headers["content-type"] ?? ""
        return (type.split(separator: ";").first.map { $0.trimmed } ?? "", body)
    }

    func document(_ digest: String, size: UInt64) throws -> [UInt8] {
        let (_, body) = try get("blobs/\(digest)", [], limit: Int(min(size, 16 << 20)))
        guard UInt64(body.count) == size else {
            throw Failure("registry \(domain): \(digest) should have \(size) bytes, it sent \(body.count)")
        }
        return body
    }

    /// Brings a blob into a file, from where that ends, with as many tries as bring it forward.
    func blob(_ digest: String, size: UInt64, into path: String, news: @escaping (UInt64) -> Void) throws {
        let file = try BlobWriter(path, size: size, news: news)
        var retry = Retry()
        while !file.isWhole {
            let before = file.done
            do {
                try fetch(digest, into: file)
            } catch let failure as Failure where file.isFull {
                // Not to be in the way of whoever makes room.
                file.empty()
                throw failure
            } catch let reason as Retry.Reason {
                // Byte by byte would be for ever.
                if file.done - before >= 1 << 16 { retry = Retry() }
                try retry.wait(reason, "registry \(domain): blob \(digest.prefix(19))")
            }
        }
    }

    private func fetch(_ digest: String, into file: BlobWriter) throws {
        let range = file.begin()
        let response = try send(authorization, "blobs/\(digest)", range) { bytes, response in
            switch response.status {
            case 206: file.agrees(response) && file.take(bytes)
            // All of it once more.
            case 200: file.agrees(response) && file.takeFromStart(bytes)
            // Words about an error.
            default: true
            }
        } failure: {
            file.failure
        }
        if response.status == 416, !range.isEmpty {
            file.knowsNoParts = true
            throw Retry.Reason(text: "it gives no parts of it")
        }
        guard response.status == 200 || response.status == 206 else {
            throw refusal(response, "blob \(digest)", [])
        }
        guard file.isWhole else { throw Retry.Reason(text: "it sent \(file.done) of \(file.size) bytes") }
    }

    // MARK: - Requests

    private func get(_ place: String, _ headers: [String], limit: Int) throws -> (HTTP.Response, [UInt8]) {
        var retry = Retry()
        while true {
            do {
                var body: [UInt8] = []
                var isTooLong = false
                let response = try send(authorization, place, headers, limit: 120) { bytes, response in
                    // Each answer, also one that another follows, begins anew.
                    body += bytes
                    isTooLong = body.count > limit
                    return !isTooLong
                } failure: {
                    isTooLong
                        ? Failure("registry \(self.domain): \(place) is longer than \(limit) bytes") : nil
                } again: {
                    body = []
                }
                guard response.status == 200 else { throw refusal(response, place, body) }
                return (response, body)
            } catch let reason as Retry.Reason {
                try retry.wait(reason, "registry \(domain): \(place)")
            }
        }
    }

    /// One request, with what the registry wants to see. `again`: an answer is not the last one, because another try
    /// follows. `failure`: why `body` ended it. A `Retry.Reason` is thrown for what may come out otherwise later.
    private func send(
        _ authorization: Authorization,
        _ place: String,
        _ headers: [String],
        limit: Int? = nil,
        _ body: @escaping (UnsafeRawBufferPointer, HTTP.Response) -> Bool,
        failure: () -> Failure? = { nil },
        again: () -> Void = {}
    ) throws -> HTTP.Response {
        var candidates = scheme.withLock { $0.map { [$0] } } ?? schemes
        // As many as there are ways to prove who asks; a registry that answers 401 for ever gets no more.
        var attempts = 3
        while let scheme = candidates.first {
            let known = authorization.header
            var request = HTTP.Request(url: url(scheme, place))
            request.headers = headers + [known].compactMap(\.self)
            request.limit = limit
            let response: HTTP.Response
            do throws(HTTPError) {
                response = try http.perform(request, body)
            } catch {
                if let failure = failure() { throw failure }
                if candidates.count > 1, error.isNoTLS || error.code == CURLE_COULDNT_CONNECT {
                    candidates.removeFirst()
                    again()
                    continue
                }
                guard error.isWorthRetrying else { throw Failure("registry \(domain): \(error.text)") }
                throw Retry.Reason(text: error.text)
            }
            self.scheme.withLock { $0 = scheme }
            attempts -= 1
            // Only the registry itself may ask who this is, and nobody that it redirects to.
            if response.status == 401, attempts > 0, response.place.hasPrefix("\(scheme)://\(host)/"),
                try authorization.answer(response.challenges, sent: known, to: request.url)
            {
                again()
                continue
            }
            if response.status == 429 || response.status >= 500 && response.status != 501 {
                let pause = response.headers["retry-after"].flatMap { Double($0) }
                throw Retry.Reason(text: "it answers \(response.status)", pause: pause)
            }
            return response
        }
        throw Failure("registry \(domain) can't be reached")
    }

    private func url(_ scheme: String, _ place: String) -> String {
        place.isEmpty ? "\(scheme)://\(host)/v2/" : "\(scheme)://\(host)/v2/\(path)/\(place)"
    }

    private func refusal(_ response: HTTP.Response, _ what: String, _ body: [UInt8]) -> Failure {
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
                advice:
                    "There may be no such repository, or it is not for everybody: docker login \(domain), or podman login."
            )
        case 404: return Failure("registry \(domain) has no \(path) with \(what)\(said)")
        default: return Failure("registry \(domain): \(what): it answers \(response.status)\(said)")
        }
    }
}
