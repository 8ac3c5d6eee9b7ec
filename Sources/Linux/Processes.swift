import SystemPackage

/// The processes that /proc shows.
package enum Processes {
    /// Their numbers at one moment, in ascending order. Empty without /proc.
    package static var all: [Int32] {
        ((try? FilePath("/proc").names()) ?? []).compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
            .sorted()
    }
}
