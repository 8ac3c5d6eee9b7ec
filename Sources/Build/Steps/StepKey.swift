import Digests

/// What a step's result depends on, as a digest: two steps with the same key make the same layer, as far as a build can
/// tell.
struct StepKey {
    private var hash = SHA256()

    /// `layers`: what the step begins with; the digest of their contents, so how they were made makes no difference. nil:
    /// it makes none.
    init(_ kind: String, over layers: [Digest]?) {
        add("mica build 1", [kind])
        add("layers", (layers ?? []).map { "\($0)" })
    }

    mutating func add(_ name: String, _ values: [String]) {
        add(name)
        add("\(values.count)")
        for value in values { add(value) }
    }

    /// Each with its length, so that no two lists look alike.
    private mutating func add(_ text: String) {
        let bytes = Array("\(text.utf8.count):\(text)".utf8)
        bytes.withUnsafeBytes { hash.update($0) }
    }

    consuming func finish() -> Digest { hash.finish() }
}
