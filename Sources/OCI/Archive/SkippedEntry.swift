/// An entry of an archive that is not an image: a signature, an attestation, a chart.
package struct SkippedEntry: Sendable, Equatable {
    /// Its name in the archive, or the beginning of its digest.
    package let name: String
    /// What it is.
    package let kind: String
}

/// Thrown when something that should be an image is something else.
struct NotAnImage: Error {
    let kind: String
}
