import Glibc
import Linux
import SystemPackage

/// The files of an event log: `1`, `2` and so on in a directory of their own, a JSON object a line. Only the last two
/// are kept.
///
/// A file is written under a shared flock(2), and the next one is made under an exclusive lock of it. So a file is not
/// written to once there is a next one.
enum EventFiles {
    /// The size in bytes from which on the next file is begun.
    static let limit: UInt64 = 1 << 20
    static let kept = 2

    static func path(_ number: Int, in directory: FilePath) -> FilePath { directory.appending("\(number)") }

    /// In order; empty where there is no log.
    static func numbers(in directory: FilePath) -> [Int] {
        let names: [[UInt8]] = (try? directory.names()) ?? []
        return names.compactMap { Int(String(decoding: $0, as: UTF8.self)) }.filter { $0 > 0 }.sorted()
    }
}

extension OwnedFD {
    var isRegularFile: Bool { ((try? status().st_mode) ?? 0) & S_IFMT == S_IFREG }
}
