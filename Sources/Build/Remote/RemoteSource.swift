import Digests
import Dockerfile
import Linux

/// A source of `ADD` that is a URL.
struct RemoteSource {
    let url: String
    /// The URL for messages: passwords, and queries that are some, stay out of them.
    let shown: String
    /// Of the file, from the URL's path.
    let name: [UInt8]
    /// What its bytes have to be.
    let checksum: Digest?

    /// nil: a path. Throws an error without a place for what mica has not.
    init?(_ source: String, checksum: Digest?) throws {
        let isHTTP = source.hasPrefix("http://") || source.hasPrefix("https://")
        let path = RemoteSource.path(of: source)
        let isGit =
            source.hasPrefix("git@") || source.hasPrefix("git://") || source.hasPrefix("ssh://")
            || isHTTP && path.hasSuffix(".git")
        guard !isGit else {
            throw Failure(
                "ADD of \(isHTTP ? RemoteSource.shown(source, path) : source): mica build reads no git repositories",
                advice: "Clone it into the context before the build."
            )
        }
        guard isHTTP else { return nil }
        url = source
        shown = RemoteSource.shown(source, path)
        self.checksum = checksum
        name = RemoteSource.name(in: path)
    }

    /// Of a URL, without what comes behind it.
    private static func path(of url: String) -> Substring {
        let rest = url.split(separator: "://", maxSplits: 1).last ?? ""
        let place = rest.prefix { $0 != "?" && $0 != "#" }
        return place.firstIndex(of: "/").map { place[$0...] } ?? ""
    }

    private static func shown(_ url: String, _ path: Substring) -> String {
        let parts = url.split(separator: "://", maxSplits: 1)
        let server = parts.last?.prefix { $0 != "/" && $0 != "?" && $0 != "#" } ?? ""
        let host = server.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        return Printable.text("\(parts.first ?? "")://\(host)\(path)")
    }

    /// The last name of a path, as BuildKit calls the file.
    private static func name(in path: Substring) -> [UInt8] {
        let names = decoded(path).split(separator: UInt8(ascii: "/"))
        let name = names.last.map(Array.init) ?? []
        let isName = !name.isEmpty && name != Array(".".utf8) && name != Array("..".utf8) && !name.contains(0)
        return isName ? name : Array("__unnamed__".utf8)
    }

    private static func decoded(_ path: Substring) -> [UInt8] {
        let bytes = Array(path.utf8)
        var result: [UInt8] = []
        var position = 0
        while position < bytes.count {
            let digits = bytes[position...].dropFirst().prefix(2)
            if bytes[position] == UInt8(ascii: "%"), digits.count == 2,
                let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                result.append(byte)
                position += 3
            } else {
                result.append(bytes[position])
                position += 1
            }
        }
        return result
    }
}
