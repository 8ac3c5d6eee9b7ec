import ContainerFixtures
import Foundation
import Linux
import SystemPackage

import Glibc

/// A store with an image `base:1`, busybox as its root, a context, and the built `mica`.
final class BuildBox {
    let root: TestRoot
    let program: URL
    /// A directory for what tests write.
    var base: FilePath { root.base }
    var context: FilePath { base.appending("context") }
    var store: FilePath { base.appending("store") }

    static var isPossible: Bool {
        TestRoot.isPossible && program != nil && FilePath("/dev/fuse").exists
    }

    private static var program: URL? {
        TestRoot.binaries.map { $0.appendingPathComponent("mica") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }

    init() throws {
        guard let program = BuildBox.program else { throw Errno.noSuchFileOrDirectory }
        self.program = program
        root = try TestRoot()
        for name in ["mkdir", "ln", "chmod", "od", "wc", "tr", "sort", "find", "rm", "cp"] {
            symlink("busybox", root.path.appending("bin/\(name)").string)
        }
        try context.makeDirectories()
        let tar = base.appending("base.tar").string
        try run(
            "/bin/tar",
            ["--numeric-owner", "--owner=0", "--group=0", "-C", root.path.string, "-cf", tar, "."]
        )
        try mica("import", "-c", "CMD sh", tar, "base:1")
    }

    deinit {
        // What a failure may have left.
        for target in MountTable.current().targets(below: base).reversed() {
            try? Unmount.unmount(target, .lazy)
        }
    }

    struct Result {
        let status: Int32
        let output: String
        let error: String
    }

    func process(_ program: URL, _ arguments: [String], _ variables: [String: String] = [:]) -> Process {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: base.string)
        process.environment = [
            "MICA_ROOT": store.string, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": base.string,
            // Nothing is asked of a registry.
            "MICA_REGISTRY": "/bin/false",
        ].merging(variables) { $1 }
        process.standardInput = FileHandle.nullDevice
        return process
    }

    private func finish(_ process: Process) throws -> Result {
        // Files, because a process that is left behind would keep a pipe open.
        let names = ["out", "err"].map { base.appending("\($0).\(UUID().uuidString)").string }
        let files = names.compactMap { name in
            FileManager.default.createFile(atPath: name, contents: nil)
                ? FileHandle(forWritingAtPath: name) : nil
        }
        guard files.count == 2 else { throw Errno.ioError }
        process.standardOutput = files[0]
        process.standardError = files[1]
        try process.run()
        process.waitUntilExit()
        let texts = try names.map {
            String(decoding: try Data(contentsOf: URL(fileURLWithPath: $0)), as: UTF8.self)
        }
        return Result(status: process.terminationStatus, output: texts[0], error: texts[1])
    }

    @discardableResult
    func run(
        _ program: String,
        _ arguments: [String],
        _ variables: [String: String] = [:],
        input: String? = nil
    ) throws -> String {
        let process = process(URL(fileURLWithPath: program), arguments, variables)
        if let input {
            let file = base.appending("input.\(UUID().uuidString)").string
            try Data(input.utf8).write(to: URL(fileURLWithPath: file))
            process.standardInput = FileHandle(forReadingAtPath: file)
        }
        let result = try finish(process)
        guard result.status == 0 else { throw Failure("\(program) \(arguments): \(result.error)") }
        return result.output
    }

    @discardableResult
    func mica(_ arguments: String...) throws -> String { try run(program.path, arguments) }

    /// Builds the context with a Dockerfile. Options come before it.
    func build(
        _ dockerfile: String,
        _ options: [String] = [],
        _ variables: [String: String] = [:]
    ) throws -> Result {
        try write("Dockerfile", dockerfile)
        return try finish(process(program, ["build"] + options + [context.string], variables))
    }

    /// The same, and it succeeds. Returns the image's ID.
    @discardableResult
    func image(
        _ dockerfile: String,
        _ options: [String] = [],
        _ variables: [String: String] = [:]
    ) throws -> String {
        let result = try build(dockerfile, options, variables)
        guard result.status == 0 else { throw Failure("the build failed: \(result.error)") }
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// What a command in an image prints.
    func shell(_ image: String, _ command: String) throws -> String {
        try mica("run", "--rm", "--entrypoint", "/bin/sh", image, "-c", command)
    }

    func config(of image: String) throws -> [String: Any] {
        let json = try JSONSerialization.jsonObject(with: Data(mica("inspect", image).utf8))
        guard let list = json as? [[String: Any]], let first = list.first,
            let config = first["Config"] as? [String: Any]
        else { throw Failure("inspect of \(image) has no config") }
        return config
    }

    /// Writes a file into the context.
    func write(_ name: String, _ text: String) throws {
        let path = context.appending(name)
        try path.removingLastComponent().makeDirectories()
        try Data(text.utf8).write(to: URL(fileURLWithPath: path.string))
    }

    /// Nothing of the store's is mounted, and no step is under way.
    var isClean: Bool {
        get throws {
            try MountTable.current().targets(below: base).isEmpty
                && store.appending("snapshots").names().isEmpty
        }
    }

    /// Whether `condition` became true within two minutes.
    func wait(_ condition: () throws -> Bool) throws -> Bool {
        for _ in 0..<6000 {
            if try condition() { return true }
            usleep(20_000)
        }
        return false
    }
}
