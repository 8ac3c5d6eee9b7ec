import CCurl
import Glibc
import Linux
import SystemPackage

/// Certificates for one registry, as docker and containers' tools look for them: in `certs.d/HOST[:PORT]` of
/// /etc/containers and /etc/docker, `*.crt` to believe, `*.cert` and `*.key` to show.
struct Certificates {
    private var authority: String?
    private var certificate: String?
    private var key: String?

    init(for domain: String) {
        let places = ["/etc/containers/certs.d", "/etc/docker/certs.d"]
        for place in [getenv("MICA_CERTS_D").map { String(cString: $0) }].compactMap(\.self) + places {
            let directory = FilePath("\(place)/\(domain)")
            guard let names = try? directory.names() else { continue }
            func path(_ suffix: String) -> String? {
                names.map { String(decoding: $0, as: UTF8.self) }.sorted().first { $0.hasSuffix(suffix) }
                    .map { "\(directory)/\($0)" }
            }
            authority = authority ?? path(".crt")
            certificate = certificate ?? path(".cert")
            key = key ?? path(".key")
        }
    }

    func apply(to curl: UnsafeMutableRawPointer) {
        if let authority { ccurl_set_string(curl, CURLOPT_CAINFO, authority) }
        if let certificate { ccurl_set_string(curl, CURLOPT_SSLCERT, certificate) }
        if let key { ccurl_set_string(curl, CURLOPT_SSLKEY, key) }
    }
}
