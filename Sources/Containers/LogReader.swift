package import SystemPackage

import FoundationEssentials
import Glibc
import Linux

/// Reads a log while it may still be growing.
package struct LogReader: ~Copyable {
    private let path: FilePath
    private var file: OwnedFD?
    private var rest: [UInt8] = []
    private let decoder = JSONDecoder()
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)

    /// A log that is not there yet is empty.
    package init(_ path: FilePath) { self.path = path }

    deinit { buffer.deallocate() }

    /// Goes to the last `count` lines of what is there.
    package mutating func skip(toLast count: Int) throws {
        try open()
        switch file {
        case .some(let file):
            var position = UInt64(max(0, try file.status().st_size))
            var newlines = 0
            while position > 0 {
                let start = position > UInt64(buffer.count) ? position - UInt64(buffer.count) : 0
                let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(position - start)])
                let size = try file.readFully(into: piece, at: start)
                for index in stride(from: size - 1, through: 0, by: -1)
                where piece[index] == UInt8(ascii: "\n") {
                    newlines += 1
                    // The newline before the first one wanted; the last byte of the file ends the last line.
                    if newlines > count {
                        lseek(file.raw, Int(start) + index + 1, SEEK_SET)
                        return
                    }
                }
                position = start
            }
        case .none: break
        }
    }

    /// The lines that have come since. Empty at the end, for now.
    package mutating func next() throws -> [LogLine] {
        try open()
        switch file {
        case .none: return []
        case .some(let file):
            while true {
                let count = try naming("read \(path)") { try file.read(into: buffer) }
                guard count > 0 else { return [] }
                rest.append(contentsOf: buffer[..<count])
                guard let last = rest.lastIndex(of: UInt8(ascii: "\n")) else { continue }
                let lines = rest[...last].split(separator: UInt8(ascii: "\n")).compactMap {
                    LogLine($0, decoder)
                }
                rest.removeSubrange(...last)
                return lines
            }
        }
    }

    private mutating func open() throws {
        guard file == nil else { return }
        do {
            file = try OwnedFD.open(path, O_RDONLY)
        } catch Errno.noSuchFileOrDirectory {
        } catch {
            throw Failure("open \(path)", error)
        }
    }
}
