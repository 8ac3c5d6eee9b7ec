import Linux
import OCI
import Snapshots

/// `--filter` of `images` and `image prune`.
struct ImageFilter {
    private enum Condition {
        case label(String, value: String?, isWanted: Bool)
        case name(ImageNamePattern)
        case dangling(Bool)
        case before(Int64)
        case since(Int64)
    }

    private var conditions: [Condition] = []

    /// `words`: KEY=VALUE. Failure for an unknown key or value. `keys`: the keys of the verb.
    init(_ words: [String], keys: [String], in store: Store) throws {
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
                String.init
            )
            var key = parts.first ?? ""
            let isNot = key.hasSuffix("!")
            if isNot { key.removeLast() }
            guard parts.count == 2, keys.contains(key), !isNot || key == "label" else {
                throw Failure(
                    "--filter \(word): there is no such filter",
                    advice: "There are \(keys.map { "\($0)=…" }.joined(separator: ", ")).",
                    exitCode: 64
                )
            }
            conditions.append(try ImageFilter.condition(key, parts[1], isNot: isNot, in: store))
        }
    }

    private static func condition(_ key: String, _ value: String, isNot: Bool, in store: Store) throws
        -> Condition
    {
        switch key {
        case "label":
            let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
                String.init
            )
            return .label(parts.first ?? "", value: parts.count > 1 ? parts[1] : nil, isWanted: !isNot)
        case "reference": return .name(try ImageNamePattern(value))
        case "dangling": return .dangling(try Misuse.truth(value, of: "--filter dangling"))
        case "before": return .before(try store.image(named: value).created)
        case "until":
            guard let moment = LogMoment(argument: value) else {
                throw Failure(
                    "--filter until=\(value): expected a time, or how long ago, as 24h",
                    exitCode: 64
                )
            }
            return .before(moment.nanoseconds / 1_000_000_000)
        default: return .since(try store.image(named: value).created)
        }
    }

    /// The images that meet all conditions (at least one of several names), each with its matching tags.
    func apply(to images: [ImageRecord]) -> [ImageRecord] {
        let patterns = conditions.compactMap { condition -> ImageNamePattern? in
            if case .name(let pattern) = condition { pattern } else { nil }
        }
        return images.compactMap { image in
            guard conditions.allSatisfy({ meets($0, image) }) else { return nil }
            guard !patterns.isEmpty else { return image }
            var image = image
            image.tags = image.tags.filter { tag in
                (try? ImageReference(tag)).map { reference in patterns.contains { $0.matches(reference) } }
                    ?? false
            }
            return image.tags.isEmpty ? nil : image
        }
    }

    private func meets(_ condition: Condition, _ image: ImageRecord) -> Bool {
        switch condition {
        case .label(let name, let value, let isWanted):
            let config = try? ImageConfig(json: image.config, name: "\(image.id)")
            let found = config?.config?.labels?[name]
            return (found != nil && (value == nil || found == value)) == isWanted
        case .name: return true
        case .dangling(let isWanted): return image.tags.isEmpty == isWanted
        case .before(let time): return image.created < time
        case .since(let time): return image.created > time
        }
    }
}
