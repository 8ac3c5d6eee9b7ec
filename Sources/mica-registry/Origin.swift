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

    /// It is this machine, which no proxy can reach.
    var isLoopback: Bool {
        // A name may begin with a number, too.
        let isAddress = host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) }
        return host == "localhost" || isAddress && host.hasPrefix("127.") || host == "[::1]" || host == "::1"
    }

    var isTLS: Bool { scheme == "https" }
    var isHTTP: Bool { !host.isEmpty && (scheme == "http" || scheme == "https") }
}
