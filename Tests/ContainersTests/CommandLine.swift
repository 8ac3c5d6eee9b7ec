import ContainerFixtures
import Foundation
import Layers
import Linux
import SystemPackage

import Glibc

/// The built `mica`, over a test's store. The mounts come from a stand-in for micafs: kernel overlayfs, where
/// the real one is not asked for.
struct MicaCommand {
    let box: TestStore
    let program: URL
    /// nil: the real one, built beside `mica`.
    private let micafs: FilePath?

    static var program: URL? {
        TestRoot.binaries.map { $0.appendingPathComponent("mica") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }

    static var isPossible: Bool { TestRoot.isPossible && program != nil }

    static var isMountingPossible: Bool { isPossible && FilePath("/dev/fuse").exists }

    init(_ box: TestStore, mountsForReal: Bool = false) throws {
        self.box = box
        guard let program = MicaCommand.program else { throw Errno.noSuchFileOrDirectory }
        self.program = program
        guard !mountsForReal else {
            micafs = nil
            return
        }
        let micafs = box.root.base.appending("micafs")
        self.micafs = micafs
        let script = """
            #!/bin/sh
            while [ $# -gt 1 ]; do
                case $1 in --upper) upper=$2;; --work) work=$2;; esac
                shift 2
            done
            if [ "$upper" ]; then
                mount -t overlay -o "lowerdir=\(box.root.path),upperdir=$upper,workdir=$work" overlay "$1" || exit 1
            else
                mount --bind "\(box.root.path)" "$1" && mount -o remount,bind,ro "$1" || exit 1
            fi
            # The mount answers, as descriptor 4 is told.
            echo >&4
            exec 4>&-
            # The daemon: has descriptor 3, the lock, until the mount is gone.
            (exec </dev/null >/dev/null 2>&1; while mountpoint -q "$1"; do sleep 0.02; done) &
            """
        try Script.write(Data(script.utf8), to: micafs)
    }

    /// Whether `condition` became true within ten minutes.
    func wait(_ condition: () throws -> Bool) throws -> Bool {
        for _ in 0..<30_000 {
            if try condition() { return true }
            usleep(20_000)
        }
        return false
    }

    func process(_ arguments: [String]) -> Process {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.environment = [
            "MICA_ROOT": box.layout.root.string, "MICA_MICAFS": micafs?.string ?? "",
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "FROM_HOST": "yes",
            // Nothing is asked of a registry.
            "MICA_REGISTRY": "/bin/false",
        ]
        process.standardInput = FileHandle.nullDevice
        return process
    }

    func callAsFunction(_ arguments: String..., input: String? = nil) throws
        -> (status: Int32, output: String, error: String)
    { try run(arguments, input: input) }

    func run(_ arguments: [String], input: String? = nil) throws
        -> (status: Int32, output: String, error: String)
    {
        let process = process(arguments)
        let output = Foundation.Pipe()
        let error = Foundation.Pipe()
        process.standardOutput = output
        process.standardError = error
        if let input {
            let pipe = Foundation.Pipe()
            process.standardInput = pipe
            try process.run()
            try pipe.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try pipe.fileHandleForWriting.close()
        } else {
            try process.run()
        }
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let errors = error.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (
            process.terminationStatus, String(decoding: text, as: UTF8.self),
            String(decoding: errors, as: UTF8.self)
        )
    }
}
