import Linux
import OCI

import Glibc

/// The images that `images NAME` lists: those whose name matches the shell pattern, with any tag, or with a tag that
/// matches too. `localhost/`, which podman puts before names of its own builds, may be left out.
struct ImageNamePattern {
    private let pattern: String

    /// Failure where it can't be the name of any image.
    init(_ text: String) throws {
        if text.contains(where: { "*?[".contains($0) }) {
            pattern = text
        } else {
            let reference = try ImageReference(text)
            // Without a tag all tags are meant.
            let isWhole = reference.tag != "latest" || text.hasSuffix(":latest")
            pattern = isWhole ? reference.familiar : reference.familiarName
        }
    }

    func matches(_ reference: ImageReference) -> Bool {
        let names = [reference.familiarName, reference.familiar]
        let local =
            reference.domain == "localhost" ? names.map { String($0.dropFirst("localhost/".count)) } : []
        return (names + local).contains { fnmatch(pattern, $0, FNM_PATHNAME) == 0 }
    }
}
