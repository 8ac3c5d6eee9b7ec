import OCI
import Snapshots

extension ImageRecord {
    /// As people write them: without `docker.io/library/`.
    var names: [String] { tags.map(familiar) }
}

/// A whole reference as people write it.
func familiar(_ tag: String) -> String { (try? ImageReference(tag).familiar) ?? tag }
