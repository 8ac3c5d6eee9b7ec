package import SystemPackage

package import Foundation
import Glibc
import Linux

/// A program for tests that is a text.
package enum Script {
    /// Writes it where it can be executed at once. Another process does so: a process that other tests fork here in the
    /// meantime would have the file open for writing, which execve(2) refuses (ETXTBSY).
    package static func write(_ text: Data, to path: FilePath) throws {
        let source = "\(path).text"
        try text.write(to: URL(fileURLWithPath: source))
        let install = Process()
        install.executableURL = URL(fileURLWithPath: "/usr/bin/install")
        install.arguments = ["-m", "755", source, path.string]
        try install.run()
        install.waitUntilExit()
        guard install.terminationStatus == 0 else { throw Failure("install \(path)") }
        try FilePath(source).unlink()
    }
}
