import OCI
import Snapshots

extension ImageRecord {
    /// Familiar names: without `docker.io/library/`.
    var names: [String] { tags.map(familiar) }
}

/// A whole reference by its familiar name.
func familiar(_ tag: String) -> String { (try? ImageReference(tag).familiar) ?? tag }
