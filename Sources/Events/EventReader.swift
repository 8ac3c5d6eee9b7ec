package import SystemPackage

import Glibc
import Linux

/// Reads an event log while it grows and while its oldest files are removed.
package struct EventReader: ~Copyable {
    private let directory: FilePath
    private let watch: EventWatch
    /// The file that is read, and its number; nil before there is one.
    private var file: OpenFile?
    private var number = 0
    private var offset: UInt64 = 0
    /// Of a line that has no end yet.
    private var begun: [UInt8] = []

    /// Whether events were removed before they were read.
    package private(set) var isBehind = false

    /// `fromNow`: passes over what has happened already. A log that does not exist yet is empty.
    package init(_ directory: FilePath, fromNow: Bool) throws {
        self.directory = directory
        watch = EventWatch(directory)
        guard fromNow else { return }
        if let last = EventFiles.numbers(in: directory).last, open(last), let file {
            offset = UInt64(clamping: try file.fd.status().st_size)
        }
    }

    /// The events that were recorded since the last call, in order. Lines that are none are passed over.
    package mutating func next() throws -> [StoreEvent] {
        var events: [StoreEvent] = []
        while true {
            // Asked before the read, which then gets all of a file that is not written to any more.
            let later = EventFiles.numbers(in: directory).first { $0 > number }
            try read(&events)
            guard let later else { return events }
            if number > 0, later > number + 1 { isBehind = true }
            if !open(later) {
                // It has just been removed, or can't be read.
                number = later
                file = nil
                isBehind = true
            }
        }
    }

    /// Waits for a change of the log, at most so long. It may return without one.
    package func wait(milliseconds: Int32) { watch.wait(milliseconds: milliseconds) }

    private mutating func open(_ number: Int) -> Bool {
        let path = EventFiles.path(number, in: directory)
        guard let fd = try? OwnedFD.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), fd.isRegularFile
        else { return false }
        file = OpenFile(fd)
        self.number = number
        offset = 0
        begun = []
        return true
    }

    private mutating func read(_ events: inout [StoreEvent]) throws {
        guard let file else { return }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try naming("read \(EventFiles.path(number, in: directory))") {
                try file.fd.readFully(into: buffer, at: offset)
            }
            if count == 0 { return }
            offset += UInt64(count)
            begun += buffer[..<count]
            var lines = begun.split(separator: 0x0a, omittingEmptySubsequences: false)
            begun = Array(lines.popLast() ?? [])
            // A log of ours has no such line.
            if begun.count > EventFiles.limit { begun = [] }
            events += lines.compactMap { StoreEvent(json: $0) }
        }
    }
}
