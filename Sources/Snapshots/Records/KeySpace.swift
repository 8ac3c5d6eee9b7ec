/// Whose keys: each space has snapshots of its own, and what is in one is neither seen nor removed by who works in
/// another. Layers, objects and chains are shared by all.
package struct KeySpace: RawRepresentable, Hashable, Sendable {
    /// As in the database.
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    /// Of images, containers and the users of mica's command line.
    package static let own = KeySpace(rawValue: "")
    package static let containerd = KeySpace(rawValue: "containerd")

    /// What a snapshot is called where those of several spaces are listed.
    func label(_ key: String) -> String { self == .own ? key : "\(rawValue):\(key)" }
}
