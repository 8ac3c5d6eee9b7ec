import Linux
import Scratch
package import SystemPackage

import Glibc

/// A private directory that goes with the test, also when that fails.
package final class TemporaryDirectory: Sendable {
    package let path: FilePath

    package init() throws {
        var template = Array("\(Scratch.prefix("test"))XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno.last }
        path = FilePath(platformString: template)
    }

    deinit { try? path.removeTree() }

    /// Writes a file, its directories made as needed.
    package func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = path.pushing(FilePath(name))
        try file.removingLastComponent().makeDirectories()
        try OwnedFD.open(file, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644).writeAll(bytes)
    }
}
