/// How a mount helper is told which snapshot is meant: `mica:12`.
package struct SnapshotNumber: Sendable, Equatable {
    static let prefix = "mica:"

    package let id: Int64

    package init(id: Int64) { self.id = id }

    /// nil for what is something else.
    package init?(_ text: String) {
        guard text.hasPrefix(SnapshotNumber.prefix) else { return nil }
        let digits = text.dropFirst(SnapshotNumber.prefix.count)
        guard let id = Int64(digits), id > 0, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        self.id = id
    }

    package var text: String { SnapshotNumber.prefix + String(id) }
}
