/// Something in an archive that is no image: a signature, an attestation, a chart.
package struct SkippedEntry: Sendable, Equatable {
    /// Its name in the archive, or the beginning of its digest.
    package let name: String
    /// What it is.
    package let kind: String
}

/// Thrown where an image was looked for: it is this instead.
struct NotAnImage: Error {
    let kind: String
}
