import OCI

/// The form of an instruction's arguments that is a JSON array of strings.
enum JSONWords {
    /// nil where `text` is no JSON array: then it is meant for a shell, or as words with spaces between them.
    static func parse(_ text: String) throws(DockerfileError) -> [String]? {
        guard text.utf8.first == UInt8(ascii: "["),
            let values = try? JSONDocument.decode([JSONValue].self, from: Array(text.utf8), name: "")
        else { return nil }
        var words: [String] = []
        for value in values {
            guard case .string(let word) = value else {
                throw DockerfileError(
                    "when using JSON array syntax, arrays must be comprised of strings only"
                )
            }
            guard !word.utf8.contains(0) else {
                throw DockerfileError("a string of the array has a NUL in it")
            }
            words.append(word)
        }
        return words
    }

    /// Whether `parse` finds an array, even one that it refuses.
    static func isArray(_ text: String) -> Bool {
        do { return try parse(text) != nil } catch { return true }
    }
}
