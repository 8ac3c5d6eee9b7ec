/// A here-document: `<<NAME`, with the lines up to `NAME`.
package struct Heredoc: Sendable, Equatable {
    /// Without its quotes. Of a `COPY`, also the name of the file.
    package let name: String
    /// `3<<NAME`; 0 where there is no number, and without meaning to a `COPY`.
    package let descriptor: UInt
    /// Of a `COPY`, whether variables expand in it: not if a part of `NAME` is quoted. A `RUN` ignores it where the
    /// here-document is all of the command, and leaves it to the shell elsewhere.
    package let isExpanded: Bool
    /// `<<-NAME`: tabs at the beginning of lines don't count.
    package let stripsTabs: Bool
    /// The lines as they are in the Dockerfile, with their ends.
    package internal(set) var raw: String

    /// The lines, without leading tabs where `<<-` says so.
    package var text: String {
        guard stripsTabs else { return raw }
        var result = String.UnicodeScalarView()
        var isStart = true
        for scalar in raw.unicodeScalars {
            if isStart && scalar == "\t" { continue }
            isStart = scalar == "\n"
            result.append(scalar)
        }
        return String(result)
    }

    /// What `COPY` writes into the file. Quotes stay in it, and a backslash is the escape whatever the Dockerfile's is.
    package func expand(with variables: Variables) throws(DockerfileError) -> String {
        guard isExpanded else { return text }
        return try Expansion(escape: .backslash, quotes: .plain).word(text, with: variables)
    }
}
