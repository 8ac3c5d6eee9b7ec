package import SystemPackage

import Glibc
import Linux

/// Reads a log while it grows and while its oldest files are removed.
package struct LogReader: ~Copyable {
    private struct Numbered {
        let number: Int
        let file: OpenFile
    }

    private let directory: FilePath
    /// The files found at the last look and not read to the end yet, in order.
    private var files: [Numbered] = []
    /// The number of the file opened last; -1 before the first.
    private var last = -1
    /// Where the contents of `buffer` begin in the first of `files`, and how much of it there is.
    private var offset = 0
    private var used = 0
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
    private var damaged: Int?

    /// Whether part of the log was removed before it was read.
    package private(set) var isBehind = false
    /// A file with something other than records in it, of which the rest is skipped.
    package var damage: FilePath? { damaged.map { LogFormat.path(of: $0, in: directory) } }

    /// `directory`: the container's. A log that does not exist yet is empty.
    package init(_ directory: FilePath) { self.directory = directory }

    private init(_ directory: FilePath, _ files: [Numbered]) {
        self.directory = directory
        self.files = files
    }

    deinit { buffer.deallocate() }

    /// The number of lines so far. Call it before anything is read.
    package mutating func lines() throws -> Int {
        look()
        var other = LogReader(directory, files)
        var lines = LogLines()
        while true {
            let records = try other.next(looking: false)
            if records.isEmpty { return lines.count }
            for record in records { lines.forEach(in: record) { _ in } }
        }
    }

    /// The records that have come since the last call. Empty at the end, for now.
    package mutating func next() throws -> [LogRecord] { try next(looking: true) }

    /// `looking`: whether to look for files newer than those that are open.
    private mutating func next(looking: Bool) throws -> [LogRecord] {
        while true {
            if files.isEmpty, looking { look() }
            guard let current = files.first else { return [] }
            var isFull = files.count > 1
            var records = try read(current)
            if records.isEmpty, !isFull, looking {
                look()
                isFull = files.count > 1
                // Everything in this file was written before the next one was begun.
                if isFull { records = try read(current) }
            }
            guard records.isEmpty, isFull else { return records }
            files.removeFirst()
            (offset, used) = (0, 0)
        }
    }

    private mutating func look() {
        for number in LogFormat.numbers(in: directory) where number > last {
            // The file may just have been removed.
            guard let file = try? OwnedFD.open(LogFormat.path(of: number, in: directory), O_RDONLY) else {
                continue
            }
            if last >= 0, number > last + 1 { isBehind = true }
            files.append(Numbered(number: number, file: OpenFile(file)))
            last = number
        }
    }

    private mutating func read(_ current: Numbered) throws -> [LogRecord] {
        guard damaged != current.number else { return [] }
        let path = LogFormat.path(of: current.number, in: directory)
        used += try naming("read \(path)") {
            let free = UnsafeMutableRawBufferPointer(rebasing: buffer[used...])
            return try current.file.fd.readFully(into: free, at: UInt64(offset + used))
        }
        var place = 0
        if offset == 0 {
            guard used >= LogFormat.header else { return [] }
            place = LogFormat.header
            if !LogFormat.isHeader(UnsafeRawBufferPointer(rebasing: buffer[..<place])) {
                damaged = current.number
            }
        }
        var records: [LogRecord] = []
        parsing: while damaged != current.number {
            switch LogFormat.record(UnsafeRawBufferPointer(rebasing: buffer[place..<used])) {
            case .record(let record, let size):
                records.append(record)
                place += size
            case .unfinished: break parsing
            case .damaged: damaged = current.number
            }
        }
        if let start = buffer.baseAddress { memmove(start, start + place, used - place) }
        offset += place
        used -= place
        return records
    }
}
