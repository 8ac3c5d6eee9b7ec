import FoundationEssentials
import Linux
import Registry

/// Repositories of a registry by a part of their names.
enum Search {
    private struct Page: Decodable {
        struct Entry: Decodable {
            var name: String
            var description: String?
            var star_count: Int?
            var is_official: Bool?
        }
        var results: [Entry]
    }

    /// docker's search, or what the registry's list of repositories has.
    static func run(_ opening: RegistryMessage.Opening, _ term: String, limit: Int) throws
        -> [RegistryMessage.Found]
    {
        let isDockers = opening.domain == "docker.io"
        let query = "/v1/search?q=\(escaped(term))&n=\(limit)"
        var opening = opening
        // Another host has docker.io's.
        if isDockers { opening.domain = "index.docker.io" }
        let repository = try Repository(opening)
        let statuses: Set<Int> = isDockers ? [200] : [200, 400, 401, 403, 404, 405, 501]
        let (response, body) = try repository.get(.init(place: query), limit: 8 << 20, expecting: statuses)
        if response.status == 200, let page = try? JSONDecoder().decode(Page.self, from: Data(body)) {
            return page.results.prefix(limit).map {
                RegistryMessage.Found(
                    name: $0.name,
                    description: $0.description ?? "",
                    stars: $0.star_count ?? 0,
                    isOfficial: $0.is_official ?? false
                )
            }
        }
        guard !isDockers else { throw Failure("registry docker.io answers no list") }
        let names: [String]
        do { names = try repository.catalog() } catch let failure as Failure {
            throw Failure(
                "registry \(opening.domain) can't be searched: \(failure.message)",
                advice:
                    "It may say on its web pages what it has; mica tags NAME lists the tags of one repository."
            )
        }
        return names.filter { $0.contains(term) }.prefix(limit).map { RegistryMessage.Found(name: $0) }
    }

    private static func escaped(_ text: String) -> String {
        var parts = URLComponents()
        parts.queryItems = [URLQueryItem(name: "q", value: text)]
        let query = parts.percentEncodedQuery ?? "q="
        return String(query.dropFirst(2)).replacing("+", with: "%2B").replacing("&", with: "%26")
    }
}
