import ContainerFixtures
import Foundation
import Glibc
import ImageFixtures
import Linux
import SystemPackage

/// The built mica on a store of its own, for pulls.
struct PullFixture {
    let directory: TemporaryDirectory
    /// Beside what every run has.
    var environment: [String: String] = [:]

    static var program: URL? {
        TestRoot.binaries.map { $0.appendingPathComponent("mica") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }

    init() throws { directory = try TemporaryDirectory() }

    var store: FilePath { directory.path.appending("store") }
    /// What waits there for the next pull.
    var arrivals: [String] {
        ((try? store.appending("arrivals").names()) ?? []).map { String(decoding: $0, as: UTF8.self) }
    }

    func process(_ arguments: [String]) throws -> Process {
        guard let program = PullFixture.program else { throw Errno.noSuchFileOrDirectory }
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.environment = [
            "MICA_ROOT": store.string, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": directory.path.string,
            "MICA_REGISTRY_TIMEOUT": "600",
            // Not this machine's.
            "CONTAINERS_REGISTRIES_CONF": directory.path.appending("registries.conf").string,
        ].merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        return process
    }

    @discardableResult func callAsFunction(_ arguments: String...) throws
        -> (status: Int32, output: String, error: String)
    { try run(arguments) }

    /// `input`: what it reads.
    @discardableResult func run(_ arguments: [String], input: String? = nil) throws
        -> (status: Int32, output: String, error: String)
    {
        let process = try process(arguments)
        if let input {
            try directory.write("input", Array(input.utf8))
            process.standardInput = FileHandle(forReadingAtPath: directory.path.appending("input").string)
        }
        let (output, error) = (Foundation.Pipe(), Foundation.Pipe())
        process.standardOutput = output
        process.standardError = error
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let errors = error.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (
            process.terminationStatus, String(decoding: text, as: UTF8.self),
            String(decoding: errors, as: UTF8.self)
        )
    }

    /// Names of images in the store.
    func images() throws -> String { try self("images", "-q").output }
}
