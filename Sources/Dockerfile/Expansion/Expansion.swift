/// Quotes, escapes and variables in the words of a Dockerfile, in BuildKit's reading of them: `$name`, `${name}`,
/// `${name:-word}`, `-`, `:+`, `+`, `:?`, `?`, `#`, `##`, `%`, `%%`, `/pattern/replacement` and `//`.
package struct Expansion: Sendable {
    package enum Quotes: Sendable {
        /// They go, and keep what is in them from being split and, if single, from being expanded.
        case removed
        /// They do the same, and stay.
        case kept
        /// They are characters like all others.
        case plain
    }

    package let escape: Escape
    package let quotes: Quotes
    /// Escapes stay in the text.
    let keepsEscapes: Bool
    /// A variable that is not set stays as it is written.
    let keepsUnset: Bool

    package init(
        escape: Escape = .backslash,
        quotes: Quotes = .removed,
        keepsEscapes: Bool = false,
        keepsUnset: Bool = false
    ) {
        self.escape = escape
        self.quotes = quotes
        self.keepsEscapes = keepsEscapes
        self.keepsUnset = keepsUnset
    }

    /// The text as one word: spaces stay.
    package func word(_ text: String, with variables: Variables) throws(DockerfileError) -> String {
        try result(text, with: variables).text
    }

    /// Split at spaces, also those from a variable, but not those in quotes.
    package func words(_ text: String, with variables: Variables) throws(DockerfileError) -> [String] {
        try result(text, with: variables).words
    }
}
