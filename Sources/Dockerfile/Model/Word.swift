/// Text of a Dockerfile with its quotes, escapes and variables. `expand` takes them away once the variables are known.
package struct Word: Sendable, Hashable {
    /// As it was written.
    package let text: String
    package let escape: Escape

    package init(_ text: String, escape: Escape = .backslash) {
        self.text = text
        self.escape = escape
    }

    /// The text without quotes and escapes, with the values of `variables`; spaces stay. Throws an error without a
    /// place (`locating` adds it).
    package func expand(with variables: Variables) throws(DockerfileError) -> String {
        try Expansion(escape: escape).word(text, with: variables)
    }

    /// The same, split at spaces outside of quotes, also at those of values: for `EXPOSE` alone.
    package func expandToWords(with variables: Variables) throws(DockerfileError) -> [String] {
        try Expansion(escape: escape).words(text, with: variables)
    }
}
