import CCurl
import FoundationEssentials
import Glibc
import Linux
import Registry

/// Brings a file of any server, for a build. No credentials are sent there but those in the URL.
enum Fetch {
    /// `news` gets replies that are not the last one, which is returned.
    static func run(
        _ request: RegistryMessage.Request,
        news: @escaping (RegistryMessage.Reply) -> Void
    ) throws -> RegistryMessage.Reply {
        let url = request.name
        let shown = Fetch.shown(url)
        guard Origin(url).isHTTP, let server = Fetch.server(of: url) else {
            throw Failure("\(shown) can't be fetched: it is not the URL of a file")
        }
        let http = HTTP(
            host: server,
            certificates: try Certificates(for: server).withoutOwn,
            verifies: true
        )
        let file = try FetchedFile(request.path ?? "", limit: request.size ?? 0)
        var retry = Retry()
        while true {
            do {
                let response = try once(http, url, shown, into: file) { response in
                    news(Fetch.reply(to: request, response))
                }
                var reply = Fetch.reply(to: request, response)
                reply.done = file.count
                return reply
            } catch let reason as Retry.Reason {
                file.empty()
                try retry.wait(reason, shown)
            } catch {
                // The room is given back.
                file.empty()
                throw error
            }
        }
    }

    private static func once(
        _ http: HTTP,
        _ url: String,
        _ shown: String,
        into file: FetchedFile,
        begins: @escaping (HTTP.Response) -> Void
    ) throws -> HTTP.Response {
        let response: HTTP.Response
        var hasBegun = false
        do throws(HTTPError) {
            response = try http.perform(HTTP.Request(url: url)) { bytes, response in
                // Words about an error: they are not read.
                guard response.status == 200 else { return false }
                if !hasBegun { begins(response) }
                hasBegun = true
                return file.take(bytes)
            }
        } catch {
            if let failure = file.failure {
                throw Failure("\(shown): \(failure.message)", kind: failure.kind)
            }
            guard error.status == 0 || error.status == 200 || error.code != CURLE_WRITE_ERROR else {
                throw try refusal(error.status, shown)
            }
            guard error.isWorthRetrying else { throw Failure("\(shown) can't be fetched: \(error.text)") }
            throw Retry.Reason(text: error.text)
        }
        guard response.status == 200 else { throw try refusal(response.status, shown) }
        return response
    }

    /// Throws what may come out otherwise later.
    private static func refusal(_ status: Int, _ shown: String) throws -> Failure {
        if status == 429 || status >= 500 && status != 501 {
            throw Retry.Reason(text: "its server answers \(status)")
        }
        return Failure("\(shown) can't be fetched: its server answers \(status)")
    }

    private static func reply(
        to request: RegistryMessage.Request,
        _ response: HTTP.Response
    ) -> RegistryMessage.Reply {
        var reply = RegistryMessage.Reply(id: request.id)
        // A weak one says that two files mean the same, not that they are the same.
        reply.entityTag = response.headers["etag"].flatMap { $0.hasPrefix("\"") ? $0 : nil }
        if let text = response.headers["last-modified"] {
            let time = curl_getdate(text, nil)
            if time >= 0 { reply.modified = Int64(time) }
        }
        return reply
    }

    private static func server(of url: String) -> String? {
        guard let parts = URLComponents(string: url), let host = parts.host, !host.isEmpty else { return nil }
        return parts.port.map { "\(host):\($0)" } ?? host
    }

    /// For messages: a password in it, or a query that is one, stays out of them.
    private static func shown(_ url: String) -> String {
        guard var parts = URLComponents(string: url) else {
            return Printable.text(String(url.prefix { $0 != "?" && $0 != "@" }))
        }
        (parts.user, parts.password, parts.query, parts.fragment) = (nil, nil, nil, nil)
        return Printable.text(parts.string ?? "a URL")
    }
}
