extension Instruction {
    /// What `COPY` and `ADD` have in common.
    package struct Files: Sendable {
        /// Paths in the context or stage, or URLs of an `ADD`, with wildcards once they are expanded.
        package internal(set) var sources: [Word] = []
        /// Files that are in the Dockerfile itself; copied after `sources`.
        package internal(set) var documents: [Heredoc] = []
        package internal(set) var destination = Word("")
        /// `user:group`, names or numbers, or one of them.
        package internal(set) var chown: Word?
        /// Octal, or as chmod(1) takes it: `FileMode` reads it.
        package internal(set) var chmod: Word?
        /// The result does not depend on what is below.
        package internal(set) var isLinked = false
        /// Patterns as in `.dockerignore` (`PathPatterns`), which don't expand.
        package internal(set) var excludes: [String] = []
    }

    package struct Copy: Sendable {
        package let files: Files
        /// A stage's name or number, or an image; nil for the context. Does not expand.
        package let from: String?
        /// The directories of a source are made, too: those after `/./`, where it has that.
        package let keepsParents: Bool
    }

    package struct Add: Sendable {
        package let files: Files
        package let checksum: Word?
        /// Whether `.git` stays; nil where the flag is not given.
        package let keepsGitDirectory: Bool?
        /// Whether archives are unpacked; nil where the flag is not given: local ones are, those of a URL are not.
        package let unpacks: Bool?
    }
}
