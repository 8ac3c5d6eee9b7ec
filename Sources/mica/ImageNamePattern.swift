import Linux
import OCI

import Glibc

/// Which images `images NAME` lists: those whose name matches as in a shell, with any tag or with a tag that matches,
/// too. Of `localhost/…`, which podman calls what it builds, the rest is enough.
struct ImageNamePattern {
    private let pattern: String

    /// Failure where it can't be any image's name.
    init(_ text: String) throws {
        if text.contains(where: { "*?[".contains($0) }) {
            pattern = text
        } else {
            let reference = try ImageReference(text)
            // Without a tag it means them all.
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
