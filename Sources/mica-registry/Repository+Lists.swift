import FoundationEssentials
import Linux
import Registry

extension Repository {
    private static let mostPages = 1000
    /// Bytes of all pages of a list: of names that would be a million.
    private static let longestList = 32 << 20

    /// The tags of the repository.
    func tags() throws -> [String] {
        struct Page: Decodable { var tags: [String]? }
        return try pages("tags/list?n=1000") { (page: Page) in (page.tags ?? []).filter(Repository.isTag) }
    }

    /// Nothing else can be asked for, and it would be printed as it is.
    private static func isTag(_ text: String) -> Bool {
        guard let first = text.utf8.first, isWord(first), text.utf8.count <= 128 else { return false }
        return text.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// The repositories of the registry.
    func catalog() throws -> [String] {
        struct Page: Decodable { var repositories: [String]? }
        return try pages("/v2/_catalog?n=1000") { (page: Page) in page.repositories ?? [] }
    }

    /// What refers to the manifest of a digest; `type`: only artifacts of this type. A registry that does not know of such
    /// lists has one as a tag (the distribution specification's referrers tag schema), or none.
    func referrers(_ digest: String, type: String?) throws -> [RegistryMessage.Referrer] {
        struct Page: Decodable { var manifests: [RegistryMessage.Referrer]? }
        let index = "application/vnd.oci.image.index.v1+json"
        var query = URLComponents()
        query.queryItems = type.map { [URLQueryItem(name: "artifactType", value: $0)] }
        let filter = query.percentEncodedQuery.map { "?\($0.replacing("+", with: "%2B"))" } ?? ""
        var found: [RegistryMessage.Referrer]
        do {
            found = try pages("referrers/\(digest)\(filter)", ["Accept: \(index)"]) { (page: Page) in
                page.manifests ?? []
            }
        } catch let failure as Failure where failure.kind == .notFound {
            do {
                let (_, body) = try manifest(digest.replacing(":", with: "-"))
                found = (try? JSONDecoder().decode(Page.self, from: Data(body)))?.manifests ?? []
            } catch let failure as Failure where failure.kind == .notFound {
                found = []
            }
        }
        // Not every registry filters, and a digest is printed as it is.
        return found.filter { entry in
            type.map { entry.artifactType == $0 } ?? true
                && entry.digest.utf8.allSatisfy { Repository.isWord($0) || ":+.-".utf8.contains($0) }
        }
    }

    private func pages<Page: Decodable, Entry>(
        _ first: String,
        _ headers: [String] = [],
        _ entries: (Page) -> [Entry]
    ) throws -> [Entry] {
        let what = "registry \(domain): \(first.prefix { $0 != "?" })"
        var place: String? = first
        var found: [Entry] = []
        var seen: Set<String> = []
        var bytes = 0
        while let now = place, seen.insert(now).inserted {
            let (response, body) = try get(Call(place: now, headers: headers), limit: 8 << 20)
            bytes += body.count
            guard bytes <= Repository.longestList, seen.count <= Repository.mostPages else {
                throw Failure("\(what) does not end")
            }
            guard let page = try? JSONDecoder().decode(Page.self, from: Data(body)) else {
                throw Failure("\(what) is no list")
            }
            found += entries(page)
            place = response.headers["link"].flatMap(Repository.next)
        }
        return found
    }

    /// `<URL>; rel="next"`: of this registry alone.
    private static func next(_ link: String) -> String? {
        guard link.contains("rel=\"next\"") || link.contains("rel=next"),
            let start = link.firstIndex(of: "<"),
            let end = link.firstIndex(of: ">"), start < end
        else { return nil }
        let url = String(link[link.index(after: start)..<end])
        guard url.contains("://") else { return url }
        return URLComponents(string: url).map { "\($0.path)?\($0.percentEncodedQuery ?? "")" }
    }
}
