import FoundationEssentials

/// The server of a URL; of a malformed URL none.
struct Origin: Equatable {
    private let scheme: String
    private let host: String
    private let port: Int

    init(_ url: String) {
        let parts = URLComponents(string: url)
        scheme = parts?.scheme?.lowercased() ?? ""
        host = parts?.host?.lowercased() ?? ""
        port = parts?.port ?? (scheme == "https" ? 443 : 80)
    }

    /// Whether it is a server of the same host, at whatever port.
    func isOnHost(of other: Origin) -> Bool { !host.isEmpty && host == other.host }

    var isTLS: Bool { scheme == "https" }
    var isHTTP: Bool { !host.isEmpty && (scheme == "http" || scheme == "https") }
}
