/// Something that happened to a container or an image of a store, with docker's words for it.
package struct StoreEvent: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable { case container, image }

    package let kind: Kind
    /// `start`, `die`, `pull` …; of a program started in a container also what it was: `exec_start: ls -l`.
    package let action: String
    /// Of the container, or of the image with its algorithm (`sha256:…`).
    package let id: String
    /// `name`, `image`, `exitCode`, `signal` and the like.
    package let attributes: [String: String]
    /// Unix nanoseconds.
    package let time: Int64

    package init(_ kind: Kind, _ action: String, id: String, attributes: [String: String], time: Int64) {
        self.kind = kind
        self.action = action
        self.id = id
        self.attributes = attributes
        self.time = time
    }
}
