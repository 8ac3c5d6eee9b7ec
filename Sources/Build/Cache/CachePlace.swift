package import OCI
package import SystemPackage

/// Where steps are kept for other stores: `--cache-from` and `--cache-to`.
package enum CachePlace: Sendable, CustomStringConvertible {
    case registry(ImageReference)
    /// An image layout.
    case directory(FilePath)

    package var description: String {
        switch self {
        case .registry(let reference): reference.description
        case .directory(let path): path.string
        }
    }
}
