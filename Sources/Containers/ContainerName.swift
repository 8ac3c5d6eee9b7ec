import Linux

/// Names of containers, given or made up.
package enum ContainerName {
    private static let adjectives = [
        "able", "agile", "amber", "apt", "bold", "brave", "bright", "brisk", "calm", "candid", "clear",
        "clever", "cosy",
        "crisp", "deft", "eager", "early", "easy", "even", "fair", "fleet", "fond", "frank", "fresh",
        "gentle", "glad",
        "golden", "grand", "happy", "hardy", "honest", "keen", "kind", "lively", "loyal", "lucid", "merry",
        "mild",
        "modest", "neat", "nimble", "noble", "patient", "plain", "polite", "proud", "quick", "quiet", "ready",
        "rosy",
        "sharp", "shiny", "silent", "smart", "snug", "sober", "solid", "steady", "sunny", "swift", "tidy",
        "vivid",
        "warm", "witty",
    ]
    private static let nouns = [
        "acorn", "agate", "amethyst", "anchor", "aspen", "badger", "basalt", "beryl", "birch", "brook",
        "cedar", "chalk",
        "cliff", "clover", "cobalt", "copper", "coral", "crane", "dune", "ember", "falcon", "feldspar",
        "fern", "finch",
        "flint", "garnet", "glacier", "granite", "gypsum", "harbor", "hazel", "heron", "jade", "jasper",
        "juniper",
        "kestrel", "lagoon", "larch", "lichen", "linden", "marble", "marten", "meadow", "mica", "mist",
        "moss", "oak",
        "onyx", "opal", "otter", "pebble", "pine", "quartz", "reef", "ridge", "robin", "slate", "sparrow",
        "spruce",
        "topaz", "tundra", "willow", "wren", "zircon",
    ]

    /// adjective_noun; there are 4096, so a store with many containers gets a number behind it.
    static func random(numbered: Bool) -> String {
        let name = "\(adjectives.randomElement() ?? "plain")_\(nouns.randomElement() ?? "mica")"
        return numbered ? name + String(UInt16.random(in: 2...9999)) : name
    }

    /// 64 hex digits.
    static func randomID() -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: (0..<64).map { _ in digits[Int.random(in: 0..<16)] }, as: UTF8.self)
    }

    package static func check(_ name: String) throws {
        let head = name.utf8.first.map(isWord) ?? false
        guard head, name.utf8.count > 1, name.utf8.allSatisfy({ isWord($0) || "_.-".utf8.contains($0) })
        else {
            throw Failure(
                "not a container's name: \(name)",
                advice: "Expected letters and digits, and then also _ . and -, two at least."
            )
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        let lower = byte | 0x20
        return (0x30...0x39).contains(byte) || (0x61...0x7a).contains(lower)
    }
}
