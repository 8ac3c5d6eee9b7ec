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
            "MICA_REGISTRIES_CONF": directory.path.appending("own.conf").string,
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
        let (text, errors) = try finish(process)
        return (
            process.terminationStatus, String(decoding: text, as: UTF8.self),
            String(decoding: errors, as: UTF8.self)
        )
    }

    private static let measure = """
        import os, sys
        child = os.fork()
        if child == 0: os.execv(sys.argv[2], sys.argv[2:])
        _, status, usage = os.wait4(child, 0)
        with open(sys.argv[1], "w") as file: file.write(str(usage.ru_maxrss))
        sys.exit(os.waitstatus_to_exitcode(status) % 256)
        """

    /// The same, and how many bytes of memory at most it had, or a process that it started.
    func measured(_ arguments: [String]) throws
        -> (status: Int32, output: String, error: String, peak: Int)
    {
        let process = try process(arguments)
        let peak = directory.path.appending("peak").string
        process.arguments =
            ["-c", PullFixture.measure, peak, PullFixture.program?.path ?? ""] + arguments
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        let (text, errors) = try finish(process)
        let kibibytes = try String(contentsOfFile: peak, encoding: .utf8)
        return (
            process.terminationStatus, String(decoding: text, as: UTF8.self),
            String(decoding: errors, as: UTF8.self), (Int(kibibytes) ?? 0) << 10
        )
    }

    /// Runs it to its end: what it wrote to each.
    private func finish(_ process: Process) throws -> (output: Data, error: Data) {
        // A file has room for as much as comes while the other one is read.
        let path = directory.path.appending("errors-\(UInt64.random(in: 0...UInt64.max))").string
        guard FileManager.default.createFile(atPath: path, contents: nil) else { throw Errno.ioError }
        defer { try? FileManager.default.removeItem(atPath: path) }
        let output = Foundation.Pipe()
        process.standardOutput = output
        process.standardError = FileHandle(forWritingAtPath: path)
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (text, FileManager.default.contents(atPath: path) ?? Data())
    }

    /// Names of images in the store.
    func images() throws -> String { try self("images", "-q").output }
}
