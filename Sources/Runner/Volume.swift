import Linux
package import SystemPackage

/// A file or directory of the host that a container sees: `SOURCE:DESTINATION[:ro]`.
package struct Volume: Codable, Sendable, Equatable {
    /// An absolute path of the host.
    package var source: String
    /// An absolute path in the container; resolved inside its root.
    package var destination: String
    package var readOnly: Bool

    package init(source: String, destination: String, readOnly: Bool = false) {
        self.source = source
        self.destination = destination
        self.readOnly = readOnly
    }

    /// `directory`: the base of a source that begins with `./` or `../`, or is one of these.
    package init(parsing text: String, in directory: FilePath = "/") throws {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 || parts.count == 3 else {
            throw Failure(
                "not a volume: \(text)",
                advice:
                    "Expected SOURCE:DESTINATION or SOURCE:DESTINATION:ro; mica makes no volumes of its own."
            )
        }
        let modes = parts.count == 3 ? parts[2].split(separator: ",", omittingEmptySubsequences: false) : []
        guard modes.allSatisfy({ $0 == "ro" || $0 == "rw" }) else {
            throw Failure(
                "volume \(text): \(parts[2]) is not a mode",
                advice: "There are ro and rw: nothing is labelled or propagated."
            )
        }
        var source = parts[0]
        if [".", ".."].contains(source) || source.hasPrefix("./") || source.hasPrefix("../") {
            source = directory.pushing(FilePath(source)).lexicallyNormalized().string
        }
        guard source.hasPrefix("/") else {
            throw Failure(
                "volume \(text): \(source.isEmpty ? "its source" : source) is not a path",
                advice:
                    "There are no named volumes: expected an absolute path, or one that begins with a dot (./\(source))."
            )
        }
        guard parts[1].hasPrefix("/") else {
            throw Failure("volume \(text): the path in the container must be absolute")
        }
        guard parts[1].contains(where: { $0 != "/" }) else {
            throw Failure("volume \(text): the container's root can't be a volume")
        }
        self.init(source: source, destination: parts[1], readOnly: modes.last == "ro")
    }

    /// How deep the destination is: shallow ones are mounted first.
    var depth: Int { destination.split(separator: "/").count }
}
