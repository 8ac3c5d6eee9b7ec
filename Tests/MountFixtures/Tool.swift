package import Foundation

import CLinux
import Glibc
import Linux
import SystemPackage

/// Another program, run to its end.
package enum Tool {
    /// Where this build's executables are: tests and executables come from one build.
    package static let binaries: URL = {
        if let directory = ProcessInfo.processInfo.environment["MICA_BINARIES"] {
            return URL(fileURLWithPath: directory)
        }
        return package.appendingPathComponent(".build/release")
    }()

    package static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Runs it with mica in PATH, and `store` as mica's store. Returns standard output; throws a Failure with
    /// standard error where the exit status is not 0.
    ///
    /// Not by Foundation's `Process`: what that leaves open in a child, a daemon would keep, and a caller that waits
    /// for the end of a pipe, or for the child itself, would wait for the daemon. So the child has three
    /// descriptors, and what it prints goes to files.
    @discardableResult
    package static func run(_ executable: URL, _ arguments: [String], store: String? = nil) throws -> String {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        var command = ["/usr/bin/env", "PATH=\(binaries.path):\(path)"]
        if let store { command.append("MICA_ROOT=\(store)") }
        command += [executable.path] + arguments
        let output = try scratch()
        let errors = try scratch()
        let status = try wait(for: command, descriptors: [-1, output.raw, errors.raw])
        let text = try contents(output)
        guard status == 0 else {
            // As wait(2) has it: the low bits are a signal.
            let end = status & 0x7f == 0 ? "exit status \(status >> 8 & 0xff)" : "signal \(status & 0x7f)"
            throw Failure(
                "\(executable.lastPathComponent) \(arguments.joined(separator: " ")): \(end)\n"
                    + "\(text)\(try contents(errors))"
            )
        }
        return text
    }

    /// A file without a name.
    private static func scratch() throws -> OwnedFD {
        try OwnedFD.open(FilePath(NSTemporaryDirectory()), O_RDWR | __O_TMPFILE | O_DIRECTORY, mode: 0o600)
    }

    private static func contents(_ file: borrowing OwnedFD) throws -> String {
        lseek(file.raw, 0, SEEK_SET)
        return String(decoding: try file.contents(limit: 1 << 30), as: UTF8.self)
    }

    /// Runs a command with these descriptors (-1: /dev/null) as its first and no others. The wait status.
    static func wait(for command: [String], descriptors: [CInt]) throws -> CInt {
        var list = command.map { UnsafePointer<CChar>(strdup($0)) }
        defer { for argument in list { free(UnsafeMutablePointer(mutating: argument)) } }
        list.append(nil)
        let pid = clinux_spawn_host(command[0], list, descriptors, CInt(descriptors.count), 0)
        guard pid > 0 else { throw Failure("start \(command[0])", Errno(rawValue: -pid)) }
        var status: CInt = 0
        try Errno.retrying { waitpid(pid, &status, 0) }
        return status
    }
}
