/// How much a registry, or a proxy in front of it, takes in one request. Learned from its answers (413).
struct UploadLimits: Sendable {
    /// A blob of this many bytes was refused: as large ones are sent in parts from the start.
    private(set) var refused: UInt64 = .max
    /// Bytes of a part: what proxies let through by default.
    private(set) var part: UInt64 = 8 << 20
    /// Parts of fewer bytes are not tried.
    private static let least: UInt64 = 64 << 10

    /// A whole blob of `size` bytes was too much.
    mutating func refuse(blob size: UInt64) { refused = min(refused, size) }

    /// A part of `count` bytes was too much. False where a smaller one is not to be tried: the registry takes none below
    /// `minimum`.
    mutating func refuse(part count: UInt64, minimum: UInt64) -> Bool {
        let smaller = count / 2
        guard smaller >= max(UploadLimits.least, minimum) else { return false }
        part = min(part, smaller)
        return true
    }
}
