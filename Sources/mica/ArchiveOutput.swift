import Images
import Linux
import SystemPackage

import Glibc

/// Where a command writes an archive: to standard output, or to a file that has its name once it is whole.
struct ArchiveOutput {
    /// A path; - for standard output.
    let destination: String

    /// Passes `body` where to write to.
    func write(_ body: (@escaping (UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
        guard destination != "-" else {
            return try body { bytes in
                try naming("write to standard output") { try InheritedFD(STDOUT_FILENO).writeAll(bytes) }
            }
        }
        let file = Box(try OutputFile(FilePath(destination)))
        try body { try file.write($0) }
        try file.finish()
    }

    /// Holds the file for an escaping closure.
    private final class Box {
        private var file: OutputFile
        init(_ file: consuming OutputFile) { self.file = file }
        func write(_ bytes: UnsafeRawBufferPointer) throws { try file.write(bytes) }
        func finish() throws { try file.finish() }
    }
}
