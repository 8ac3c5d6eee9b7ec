package import SystemPackage

import Glibc

extension FilePath {
    /// The target of the symbolic link at this path, also of those in /proc: readlink(2). nil where there is none.
    package var target: [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            withPlatformString { path in
                bytes.assumingMemoryBound(to: CChar.self).baseAddress
                    .map { readlink(path, $0, bytes.count) } ?? -1
            }
        }
        return count < 0 ? nil : Array(buffer.prefix(count))
    }
}
