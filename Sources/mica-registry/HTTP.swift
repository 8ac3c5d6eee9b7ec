import CCurl
import Glibc
import Linux
import Synchronization

/// HTTP requests by libcurl, each on its caller's thread; connections are kept for the next ones.
final class HTTP: Sendable {
    struct Response {
        var status = 0
        /// Where the last answer came from.
        var place = ""
        /// By lower-case name, of the last answer; of several the first.
        var headers: [String: String] = [:]
        /// WWW-Authenticate, each.
        var challenges: [String] = []

        var isRedirect: Bool { [301, 302, 303, 307, 308].contains(status) && headers["location"] != nil }
    }

    struct Request {
        var method = "GET"
        var url: String
        var headers: [String] = []
        /// The Authorization header: for the server of `url`, and for none that it redirects to.
        var authorization: String?
        /// Sent with POST.
        var form: String?
        /// Sent with PUT, POST or PATCH.
        var content: UploadContent?
        /// Seconds that the whole of it may take; nil: as long as bytes come.
        var limit: Int?
        /// Only what is asked for is: what is sent goes nowhere else.
        var follows = true
    }

    /// Before there is a second thread.
    static func prepare() {
        // curl leaves this one to programs that no web server starts, with a variable for each header of a request.
        if getenv("REQUEST_METHOD") == nil, let proxy = getenv("HTTP_PROXY") {
            setenv("http_proxy", proxy, 0)
        }
        curl_global_init(Int(CURL_GLOBAL_ALL))
    }

    /// The registry's, maybe with a port: who may see its certificates.
    private let host: String
    private let certificates: Certificates
    private let verifies: Bool
    /// curl's handles that are not in use, with their connections.
    private let idle = Mutex<[UInt]>([])

    init(host: String, certificates: Certificates, verifies: Bool) {
        self.host = host
        self.certificates = certificates
        self.verifies = verifies
    }

    deinit {
        for handle in idle.withLock({ $0 }) { curl_easy_cleanup(UnsafeMutableRawPointer(bitPattern: handle)) }
    }

    private static let mostRedirects = 10

    /// `body` gets what comes, piece by piece; if it returns false the transfer ends, with an error. Redirects are followed
    /// where `request.follows`, but not from TLS to plain HTTP; other servers get neither the Authorization header nor
    /// the client's certificate.
    func perform(
        _ request: Request,
        _ body: @escaping (UnsafeRawBufferPointer, Response) -> Bool
    ) throws(HTTPError) -> Response {
        var request = request
        let origin = Origin(request.url)
        var isOrigin = true
        for _ in 0...HTTP.mostRedirects {
            let (response, next) = try once(request, isOrigin: isOrigin, body)
            guard response.isRedirect, request.follows, let next else { return response }
            let there = Origin(next)
            guard there.isTLS || !Origin(request.url).isTLS, there.isHTTP else {
                throw HTTPError(
                    code: CURLE_UNSUPPORTED_PROTOCOL,
                    text: "it redirects to \(Printable.text(String(next.prefix { $0 != "?" }))), without TLS",
                    status: response.status
                )
            }
            request.url = next
            // Also not where a way leads back.
            if there != origin { isOrigin = false }
        }
        throw HTTPError(code: CURLE_TOO_MANY_REDIRECTS, text: "it redirects again and again")
    }

    private func once(
        _ request: Request,
        isOrigin: Bool,
        _ body: @escaping (UnsafeRawBufferPointer, Response) -> Bool
    ) throws(HTTPError) -> (Response, next: String?) {
        guard let curl = take() else { throw HTTPError(code: CURLE_OUT_OF_MEMORY, text: "out of memory") }
        defer { give(back: curl) }
        var list: UnsafeMutablePointer<curl_slist>?
        let authorization = isOrigin ? request.authorization : nil
        // curl would wait a second for an answer to "Expect".
        let expect = request.content == nil ? [] : ["Expect:"]
        for header in request.headers + expect + [authorization].compactMap(\.self) {
            list = curl_slist_append(list, header)
        }
        defer { curl_slist_free_all(list) }
        ccurl_set_string(curl, CURLOPT_URL, request.url)
        ccurl_set_headers(curl, list)
        ccurl_set_string(curl, CURLOPT_USERAGENT, "mica/\(Version.current)")
        ccurl_set_string(curl, CURLOPT_PROTOCOLS_STR, "http,https")
        ccurl_set_number(curl, CURLOPT_FOLLOWLOCATION, 0)
        ccurl_set_number(curl, CURLOPT_NOSIGNAL, 1)
        ccurl_set_number(curl, CURLOPT_CONNECTTIMEOUT, 30)
        // Below 1,000 bytes a second the connection counts as dead.
        ccurl_set_number(curl, CURLOPT_LOW_SPEED_LIMIT, 1000)
        let silence = request.content == nil ? TimeLimit.silence : TimeLimit.afterUpload
        ccurl_set_number(curl, CURLOPT_LOW_SPEED_TIME, silence)
        ccurl_set_number(curl, CURLOPT_BUFFERSIZE, 256 << 10)
        if let limit = request.limit { ccurl_set_number(curl, CURLOPT_TIMEOUT, limit) }
        let transfer = Transfer(
            follows: request.follows,
            isForBody: request.method == "GET",
            content: request.content,
            body
        )
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        if let form = request.form {
            ccurl_set_string(curl, CURLOPT_COPYPOSTFIELDS, form)
        } else if let content = request.content {
            ccurl_set_source(curl, HTTP.source, HTTP.rewind, context, curl_off_t(content.count))
            ccurl_set_string(curl, CURLOPT_CUSTOMREQUEST, request.method)
        } else if request.method == "HEAD" {
            ccurl_set_number(curl, CURLOPT_NOBODY, 1)
        } else if request.method != "GET" {
            ccurl_set_string(curl, CURLOPT_COPYPOSTFIELDS, "")
            ccurl_set_string(curl, CURLOPT_CUSTOMREQUEST, request.method)
        }
        ccurl_set_number(curl, CURLOPT_SSL_VERIFYPEER, verifies ? 1 : 0)
        ccurl_set_number(curl, CURLOPT_SSL_VERIFYHOST, verifies ? 2 : 0)
        certificates.apply(to: curl, shows: isOrigin && request.url.hasPrefix("https://\(host)/"))
        if Origin(request.url).isLoopback { ccurl_set_string(curl, CURLOPT_NOPROXY, "*") }
        ccurl_set_sinks(curl, HTTP.body, HTTP.header, context)
        let code = withExtendedLifetime(transfer) { curl_easy_perform(curl) }
        transfer.response.status = ccurl_status(curl)
        transfer.response.place = request.url
        guard !transfer.isEndless else {
            throw HTTPError(
                code: code,
                text: "it answers \(transfer.response.status), and does not end",
                status: transfer.response.status
            )
        }
        guard code == CURLE_OK else {
            let said = ccurl_connect_status(curl)
            let isRefused = said != 0 && said / 100 != 2
            throw HTTPError(
                code: code,
                text: isRefused ? HTTP.refusal(byProxy: said) : String(cString: curl_easy_strerror(code)),
                status: transfer.response.status,
                proxyStatus: isRefused ? said : nil
            )
        }
        return (transfer.response, ccurl_redirect(curl).map { String(cString: $0) })
    }

    /// Words for what a proxy answers. Where it is may have a password in it.
    static func refusal(byProxy status: Int) -> String {
        status == 407
            ? "its proxy wants a name and a password, or others: HTTPS_PROXY and HTTP_PROXY say them"
            : "its proxy answers \(status)"
    }

    // MARK: - Handles

    private func take() -> UnsafeMutableRawPointer? {
        if let handle = idle.withLock({ $0.popLast() }) { return UnsafeMutableRawPointer(bitPattern: handle) }
        return curl_easy_init()
    }

    private func give(back handle: UnsafeMutableRawPointer) {
        curl_easy_reset(handle)
        idle.withLock { $0.append(UInt(bitPattern: handle)) }
    }
}

/// What libcurl says.
struct HTTPError: Error {
    let code: CURLcode
    let text: String
    var status = 0
    /// Of a proxy that does not let it through.
    var proxyStatus: Int?

    /// Another try may come out otherwise: not where the host is unknown, or its certificate no good.
    var isWorthRetrying: Bool {
        if let proxyStatus { return proxyStatus >= 500 }
        return [
            CURLE_COULDNT_CONNECT, CURLE_PARTIAL_FILE, CURLE_OPERATION_TIMEDOUT, CURLE_SEND_ERROR,
            CURLE_RECV_ERROR,
            CURLE_GOT_NOTHING, CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_SSL_CONNECT_ERROR,
        ].contains(code)
    }

    /// There is no TLS to be had: there may be a server without, or a proxy that knows the way to one.
    var isNoTLS: Bool {
        [CURLE_SSL_CONNECT_ERROR, CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST].contains(code)
            || proxyStatus != nil
    }
}
