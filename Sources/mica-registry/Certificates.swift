import CCurl
import Glibc
import Linux
import SystemPackage

/// Certificates for one registry, as docker and containers' tools look for them: in `certs.d/HOST[:PORT]` of
/// /etc/containers and /etc/docker, each `*.crt` to believe beside those of the machine, and a `*.cert` with its `*.key` to
/// show.
struct Certificates: Sendable {
    /// PEM, one after another; empty: those of the machine alone.
    private var authorities: [UInt8] = []
    private var pair: (certificate: String, key: String)?

    /// Failure where one can't be read: without it something else would be believed than was asked for.
    init(for domain: String) throws {
        let own = getenv("MICA_CERTS_D").map { String(cString: $0) }
        let places = [own].compactMap(\.self) + ["/etc/containers/certs.d", "/etc/docker/certs.d"]
        for place in places {
            let directory = FilePath("\(place)/\(domain)")
            guard let names = try? directory.names() else { continue }
            for name in names.map({ String(decoding: $0, as: UTF8.self) }).sorted() {
                let path = "\(directory)/\(name)"
                if name.hasSuffix(".crt") {
                    authorities += try Certificates.contents(path) + [UInt8(ascii: "\n")]
                } else if name.hasSuffix(".cert") {
                    let key = path.dropLast(".cert".count) + ".key"
                    guard access(String(key), R_OK) == 0 else {
                        throw Failure("\(path) has no \(key)", .last)
                    }
                    pair = pair ?? (path, String(key))
                }
            }
        }
        guard !authorities.isEmpty, let usual = ccurl_authorities() else { return }
        authorities += (try? Certificates.contents(String(cString: usual))) ?? []
    }

    /// To believe, and none to show: what is asked of the server is not the user's own idea.
    var withoutOwn: Certificates {
        var others = self
        others.pair = nil
        return others
    }

    private static func contents(_ path: String) throws -> [UInt8] {
        try naming("read \(path)") { try OwnedFD.open(FilePath(path), O_RDONLY).contents(limit: 4 << 20) }
    }

    /// `shows`: to the registry itself.
    func apply(to curl: UnsafeMutableRawPointer, shows: Bool) {
        if !authorities.isEmpty {
            _ = authorities.withUnsafeBytes {
                ccurl_set_bytes(curl, CURLOPT_CAINFO_BLOB, $0.baseAddress, $0.count)
            }
        }
        guard shows, let pair else { return }
        ccurl_set_string(curl, CURLOPT_SSLCERT, pair.certificate)
        ccurl_set_string(curl, CURLOPT_SSLKEY, pair.key)
    }
}
