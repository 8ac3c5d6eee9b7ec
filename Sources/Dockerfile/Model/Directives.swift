/// The comments at the top of a Dockerfile that change how it is read: `# escape=` and the like.
package struct Directives: Sendable, Equatable {
    /// The frontend that the file asks for; always one that this module is (`docker/dockerfile:1…`).
    package internal(set) var syntax: String?
    package internal(set) var escape = Escape.backslash
    /// What `# check=` says. BuildKit's checks are no part of mica.
    package internal(set) var check: String?
}

/// The character that continues lines and takes away the meaning of the one after it.
package enum Escape: Unicode.Scalar, Sendable {
    case backslash = "\\"
    case backtick = "`"
}
