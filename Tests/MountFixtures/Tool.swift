package import Foundation
import Linux

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
    @discardableResult
    package static func run(_ executable: URL, _ arguments: [String], store: String? = nil) throws -> String {
        let process = Process()
        let (output, errors) = (Foundation.Pipe(), Foundation.Pipe())
        process.executableURL = executable
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        environment["PATH"] = "\(binaries.path):\(environment["PATH"] ?? "/usr/bin:/bin")"
        if let store { environment["MICA_ROOT"] = store }
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        // What is printed on standard error fits into a pipe's buffer.
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let reason = String(decoding: errors.fileHandleForReading.availableData, as: UTF8.self)
            throw Failure(
                "\(executable.lastPathComponent) \(arguments.joined(separator: " ")): exit status"
                    + " \(process.terminationStatus)\n\(text)\(reason)"
            )
        }
        return text
    }
}
