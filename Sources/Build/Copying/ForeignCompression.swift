package import Linux

import Glibc

/// What docker unpacks and mica has no code for: the distribution's programs do it, in processes that can do nothing else.
package enum ForeignCompression: String, Sendable {
    case xz, bzip2

    /// By the first bytes; nil: something else.
    package init?(_ head: some Collection<UInt8>) {
        if head.starts(with: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) {
            self = .xz
        } else if head.starts(with: Array("BZh".utf8)), let level = head.dropFirst(3).first,
            (0x31...0x39).contains(level)
        {
            self = .bzip2
        } else {
            return nil
        }
    }

    /// Bytes: xz -9 takes 65 MiB, and bzip2 never more than 4.
    private static let memory: UInt64 = 256 << 20

    /// `name`: the subject of messages.
    package func decompressed(_ source: some ByteSource, named name: String) throws -> FilteredSource {
        let program = "/usr/bin/\(rawValue)"
        for needed in [program, "/usr/bin/setpriv", "/usr/bin/prlimit"] where access(needed, X_OK) != 0 {
            throw Failure(
                "\(name) is compressed with \(rawValue), and \(needed) is not there",
                advice: needed == program
                    ? "Install \(self == .xz ? "xz-utils" : "bzip2")." : "Install util-linux."
            )
        }
        let options = self == .xz ? ["--format=xz", "--threads=1"] : []
        return try FilteredSource(
            [program] + options + ["--decompress", "--stdout", "--quiet"],
            source,
            memory: ForeignCompression.memory,
            failing: Failure(
                "\(name): its \(rawValue) data is damaged, cut short, or takes more than 256 MiB of memory"
            )
        )
    }
}
