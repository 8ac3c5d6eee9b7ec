import CCurl
import Glibc
import Linux

/// One HTTP request at a time by libcurl. Used by one thread.
struct HTTP {
    struct Response {
        var status = 0
        /// Where the last answer came from.
        var place = ""
        /// By lower-case name, of the last answer; of several the first.
        var headers: [String: String] = [:]
        /// WWW-Authenticate, each.
        var challenges: [String] = []
    }

    struct Request {
        var method = "GET"
        let url: String
        var headers: [String] = []
        /// Sent with POST.
        var form: String?
        /// Seconds that the whole of it may take; nil: as long as bytes come.
        var limit: Int?
        var follows = true
    }

    /// Before there is a second thread.
    static func prepare() { curl_global_init(Int(CURL_GLOBAL_ALL)) }

    fileprivate final class Transfer {
        var response = Response()
        let body: (UnsafeRawBufferPointer, Response) -> Bool
        init(_ body: @escaping (UnsafeRawBufferPointer, Response) -> Bool) { self.body = body }
    }

    /// Of files: certificates of the registry's, and keys for it.
    let certificates: Certificates
    let verifies: Bool
    /// A registry of this machine: no proxy can reach it.
    let isLoopback: Bool

    /// `body` gets what comes, piece by piece, and ends the transfer by false, which is then an error.
    func perform(
        _ request: Request,
        _ body: @escaping (UnsafeRawBufferPointer, Response) -> Bool
    ) throws(HTTPError) -> Response {
        guard let curl = curl_easy_init() else {
            throw HTTPError(code: CURLE_OUT_OF_MEMORY, text: "out of memory")
        }
        defer { curl_easy_cleanup(curl) }
        var list: UnsafeMutablePointer<curl_slist>?
        for header in request.headers { list = curl_slist_append(list, header) }
        defer { curl_slist_free_all(list) }
        ccurl_set_string(curl, CURLOPT_URL, request.url)
        ccurl_set_headers(curl, list)
        ccurl_set_string(curl, CURLOPT_USERAGENT, "mica/\(Version.current)")
        // A redirect from TLS to plain HTTP is not followed; and libcurl gives credentials to no other host or port.
        let schemes = request.url.hasPrefix("https:") ? "https" : "http,https"
        ccurl_set_string(curl, CURLOPT_PROTOCOLS_STR, schemes)
        ccurl_set_string(curl, CURLOPT_REDIR_PROTOCOLS_STR, schemes)
        ccurl_set_number(curl, CURLOPT_FOLLOWLOCATION, request.follows ? 1 : 0)
        ccurl_set_number(curl, CURLOPT_MAXREDIRS, 10)
        ccurl_set_number(curl, CURLOPT_NOSIGNAL, 1)
        ccurl_set_number(curl, CURLOPT_CONNECTTIMEOUT, 30)
        // Less than 1,000 bytes a second for a minute is nobody any more.
        ccurl_set_number(curl, CURLOPT_LOW_SPEED_LIMIT, 1000)
        ccurl_set_number(curl, CURLOPT_LOW_SPEED_TIME, HTTP.silence)
        ccurl_set_number(curl, CURLOPT_BUFFERSIZE, 256 << 10)
        if let limit = request.limit { ccurl_set_number(curl, CURLOPT_TIMEOUT, limit) }
        if let form = request.form {
            ccurl_set_string(curl, CURLOPT_COPYPOSTFIELDS, form)
        } else if request.method == "HEAD" {
            ccurl_set_number(curl, CURLOPT_NOBODY, 1)
        } else if request.method != "GET" {
            ccurl_set_string(curl, CURLOPT_CUSTOMREQUEST, request.method)
        }
        ccurl_set_number(curl, CURLOPT_SSL_VERIFYPEER, verifies ? 1 : 0)
        ccurl_set_number(curl, CURLOPT_SSL_VERIFYHOST, verifies ? 2 : 0)
        certificates.apply(to: curl)
        if isLoopback { ccurl_set_string(curl, CURLOPT_NOPROXY, "*") }
        let transfer = Transfer(body)
        ccurl_set_sinks(curl, HTTP.body, HTTP.header, Unmanaged.passUnretained(transfer).toOpaque())
        let code = withExtendedLifetime(transfer) { curl_easy_perform(curl) }
        transfer.response.status = ccurl_status(curl)
        transfer.response.place = ccurl_place(curl).map { String(cString: $0) } ?? ""
        guard code == CURLE_OK else {
            throw HTTPError(
                code: code,
                text: String(cString: curl_easy_strerror(code)),
                status: transfer.response.status
            )
        }
        return transfer.response
    }

    /// Seconds without bytes worth the name: $MICA_REGISTRY_TIMEOUT, or 60.
    private static let silence = getenv("MICA_REGISTRY_TIMEOUT").flatMap { Int(String(cString: $0)) } ?? 60

    private static let body: ccurl_sink = { bytes, size, count, context in
        guard let context, let bytes else { return 0 }
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        let buffer = UnsafeRawBufferPointer(start: bytes, count: size * count)
        return transfer.body(buffer, transfer.response) ? size * count : 0
    }

    private static let header: ccurl_sink = { bytes, size, count, context in
        guard let context, let bytes else { return 0 }
        let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        transfer.note(
            String(decoding: UnsafeRawBufferPointer(start: bytes, count: size * count), as: UTF8.self)
        )
        return size * count
    }
}

extension HTTP.Transfer {
    /// A line of the headers. A status line begins an answer: the last one counts.
    fileprivate func note(_ line: String) {
        if line.hasPrefix("HTTP/") {
            response = HTTP.Response()
            let words = line.split(separator: " ")
            response.status = words.count > 1 ? Int(words[1].prefix(3)) ?? 0 : 0
            return
        }
        guard let colon = line.firstIndex(of: ":") else { return }
        let name = line[..<colon].lowercased()
        let value = line[line.index(after: colon)...].trimmed
        if name == "www-authenticate" { response.challenges.append(value) }
        if response.headers[name] == nil, response.headers.count < 200 { response.headers[name] = value }
    }
}

/// What libcurl says.
struct HTTPError: Error {
    let code: CURLcode
    let text: String
    var status = 0

    /// Another try may come out otherwise: not where the host is unknown, or its certificate no good.
    var isWorthRetrying: Bool {
        [
            CURLE_COULDNT_CONNECT, CURLE_PARTIAL_FILE, CURLE_OPERATION_TIMEDOUT, CURLE_SEND_ERROR,
            CURLE_RECV_ERROR,
            CURLE_GOT_NOTHING, CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_SSL_CONNECT_ERROR,
        ].contains(code)
    }

    /// TLS does not work there: it may be a server without.
    var isNoTLS: Bool { code == CURLE_SSL_CONNECT_ERROR }
}

extension StringProtocol {
    /// Without blanks and line ends around.
    var trimmed: String {
        let isBlank: (Character) -> Bool = { $0.isWhitespace || $0.isNewline }
        let start = drop(while: isBlank)
        guard let last = start.lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(start[...last])
    }
}
