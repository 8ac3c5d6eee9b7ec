import Linux
import OCI

/// A step of a build that is kept: its lease is called `build <key> <what it does>`.
struct KeptStep: Sendable, Equatable {
    static let prefix = "build "

    var lease: String
    var layer: Digest
    /// Bytes of contents.
    var size: UInt64
    /// Unix nanoseconds: when the layer was made.
    var created: Int64
    var expires: Int64?

    static func lease(_ key: Digest, _ text: String) -> String {
        "\(prefix)\(key.hex) \(Printable.text(String(text.prefix(100))))"
    }
}

extension Connection {
    /// What was used last comes first. `from`, `to`: of the leases' names.
    func steps(from: String = KeptStep.prefix, to: String = "build!") throws -> [KeptStep] {
        try rows(
            """
            SELECT leases.id, diffid, content_size, leases.created, expires FROM leases
            JOIN lease_layers ON lease = leases.id JOIN layers ON layers.id = layer
            WHERE leases.id >= ? AND leases.id < ? ORDER BY expires DESC, leases.id
            """,
            from,
            to
        ) {
            KeptStep(
                lease: try $0[0],
                layer: try $0[1],
                size: try $0[2],
                created: try $0[3],
                expires: try $0[4]
            )
        }
    }

    func step(_ key: Digest) throws -> KeptStep? {
        let name = "\(KeptStep.prefix)\(key.hex)"
        return try steps(from: "\(name) ", to: "\(name)!").first
    }
}
