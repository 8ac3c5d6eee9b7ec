import Linux

/// A file or directory of the host's, seen in the container: `SOURCE:DESTINATION[:ro]`.
package struct Volume: Codable, Sendable, Equatable {
    /// Absolute path of the host.
    package var source: String
    /// Absolute path in the container; resolved inside its root.
    package var destination: String
    package var readOnly: Bool

    package init(source: String, destination: String, readOnly: Bool = false) {
        self.source = source
        self.destination = destination
        self.readOnly = readOnly
    }

    package init(parsing text: String) throws {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let mode = parts.count == 3 ? parts[2] : "rw"
        guard parts.count == 2 || parts.count == 3, ["ro", "rw"].contains(mode) else {
            throw Failure(
                "not a volume: \(text)",
                advice: "Expected SOURCE:DESTINATION or SOURCE:DESTINATION:ro."
            )
        }
        guard parts[0].hasPrefix("/"), parts[1].hasPrefix("/") else {
            throw Failure("volume \(text): both paths must be absolute")
        }
        guard parts[1].contains(where: { $0 != "/" }) else {
            throw Failure("volume \(text): the container's root can't be a volume")
        }
        self.init(source: parts[0], destination: parts[1], readOnly: mode == "ro")
    }

    /// How deep the destination is: shallow ones are mounted first.
    var depth: Int { destination.split(separator: "/").count }
}
