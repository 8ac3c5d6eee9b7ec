import ContainerFixtures
import Containers
import Foundation
import Linux
import Runner
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40))) struct `A log` {
    let root: TestRoot
    var directory: FilePath { root.base.appending("log") }
    let small = LogLimits(size: 4096, files: 3)

    init() throws {
        root = try TestRoot()
        try directory.makeDirectory(mode: 0o700)
    }

    private func append(_ log: LogWriter, _ stream: StdioProxy.Stream, _ bytes: some Sequence<UInt8>) {
        Array(bytes).withUnsafeBytes { log.append(stream, $0) }
    }

    private func write(_ pieces: [(StdioProxy.Stream, String)], _ limits: LogLimits = .standard) {
        let log = LogWriter(directory, limits)
        for (stream, text) in pieces { append(log, stream, text.utf8) }
    }

    private func all(_ reader: inout LogReader) throws -> [LogRecord] {
        var records: [LogRecord] = []
        while true {
            let more = try reader.next()
            if more.isEmpty { return records }
            records += more
        }
    }

    private func records() throws -> [LogRecord] {
        var reader = LogReader(directory)
        return try all(&reader)
    }

    private func text(_ stream: StdioProxy.Stream = .output) throws -> String {
        String(decoding: try records().filter { $0.stream == stream }.flatMap(\.bytes), as: UTF8.self)
    }

    private func file(_ number: Int) -> FilePath { directory.appending("log.\(number)") }

    private func names() throws -> [String] {
        try directory.names().map { String(decoding: $0, as: UTF8.self) }.sorted()
    }

    @Test func `gives back the bytes that were written, each stream's in order`() throws {
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
        let log = LogWriter(directory)
        for start in stride(from: 0, to: bytes.count, by: 70_001) {
            append(log, .output, bytes[start..<min(start + 70_001, bytes.count)])
            append(log, .error, [0xff, 0x00])
        }
        let records = try records()
        #expect(records.filter { $0.stream == .output }.flatMap(\.bytes) == bytes)
        #expect(
            records.filter { $0.stream == .error }.flatMap(\.bytes) == [
                0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0,
            ]
        )
        #expect(zip(records, records.dropFirst()).allSatisfy { $0.time <= $1.time })
    }

    @Test func `takes hardly more room than what was written`() throws {
        write(Array(repeating: (.output, String(repeating: "y\n", count: 2048)), count: 100))
        let size = try file(0).status().st_size
        #expect(size > 409_600 && size < 412_000)
    }

    @Test func `keeps the newest within its limits, in files for the owner alone`() throws {
        let limits = small
        write((0..<5000).map { (.output, "line \($0)\n") }, limits)
        #expect(try names().count == 3)
        for name in try names() {
            let status = try directory.appending(name).status()
            #expect(status.st_size <= 4096)
            #expect(status.st_mode & 0o777 == 0o600)
        }
        let text = try text()
        #expect(text.hasSuffix("line 4998\nline 4999\n"))
        #expect(text.utf8.count > 2048)
    }

    @Test func `keeps its limits with pieces that are larger than a file, and with one file`() throws {
        let log = LogWriter(directory, LogLimits(size: 4096, files: 1))
        append(log, .output, Array(repeating: 0x78, count: 100_000))
        append(log, .output, "end\n".utf8)
        #expect(try names().count == 1)
        for name in try names() { #expect(try directory.appending(name).status().st_size <= 4096) }
        #expect(try text().hasSuffix("end\n"))
    }

    @Test func `is read while it grows, from file to file`() throws {
        let log = LogWriter(directory, small)
        var reader = LogReader(directory)
        try #expect(all(&reader).isEmpty)
        var seen: [UInt8] = []
        var written: [UInt8] = []
        for number in 0..<2000 {
            let line = Array("line \(number)\n".utf8)
            append(log, .output, line)
            written += line
            if number % 7 == 0 { seen += try all(&reader).flatMap(\.bytes) }
        }
        seen += try all(&reader).flatMap(\.bytes)
        #expect(seen == written)
        let (isBehind, damage) = (reader.isBehind, reader.damage)
        #expect(!isBehind)
        #expect(damage == nil)
    }

    @Test func `says so to a reader from whom it was taken away`() throws {
        let log = LogWriter(directory, small)
        var reader = LogReader(directory)
        append(log, .output, "first\n".utf8)
        try #expect(all(&reader).count == 1)
        for number in 0..<3000 { append(log, .output, "line \(number)\n".utf8) }
        // What the reader has open it has, though it has no name any more.
        let rest = String(decoding: try all(&reader).flatMap(\.bytes), as: UTF8.self)
        #expect(rest.hasPrefix("line 0\n"))
        #expect(rest.hasSuffix("line 2999\n"))
        let isBehind = reader.isBehind
        #expect(isBehind)
    }

    /// As `mica logs --tail` shows them.
    private func lines(last count: Int) throws -> [String] {
        var reader = LogReader(directory)
        let first = max(0, try reader.lines() - count)
        var lines = LogLines()
        var texts: [Int: String] = [:]
        for record in try all(&reader) {
            lines.forEach(in: record) { piece in
                guard piece.number >= first else { return }
                texts[piece.number, default: ""] += String(decoding: piece.bytes, as: UTF8.self)
            }
        }
        return texts.sorted { $0.key < $1.key }.map(\.value)
    }

    @Test func `is read from its last lines, across files`() throws {
        write((0..<1000).map { (.output, "line \($0)\n") }, LogLimits(size: 4096, files: 100))
        #expect(try names().count > 5)
        try #expect(lines(last: 2) == ["line 998\n", "line 999\n"])
        try #expect(lines(last: 0) == [])
        try #expect(lines(last: 700).first == "line 300\n")
        try #expect(lines(last: 700).count == 700)
        try #expect(lines(last: .max).count == 1000)
    }

    @Test func `has lines of each stream, however the pieces came`() throws {
        write([
            (.output, "a"), (.error, "x\ny"), (.output, "b\nc"), (.error, "z\n"), (.output, "\n\nd"),
        ])
        try #expect(lines(last: 9) == ["ab\n", "x\n", "yz\n", "c\n", "\n", "d"])
        try #expect(lines(last: 1) == ["d"])
        try #expect(lines(last: 4) == ["yz\n", "c\n", "\n", "d"])
    }

    @Test func `that was cut off gives what is whole`() throws {
        write([(.output, "one\n"), (.output, "two\n"), (.error, "three\n")])
        let whole = try Data(contentsOf: URL(fileURLWithPath: file(0).string))
        for length in 0..<whole.count {
            try whole.prefix(length).write(to: URL(fileURLWithPath: file(0).string))
            var reader = LogReader(directory)
            let records = try all(&reader)
            #expect(
                records.map { String(decoding: $0.bytes, as: UTF8.self) }
                    == Array(["one\n", "two\n"].prefix(records.count))
            )
            #expect(records.count == [36, 56].count { $0 <= length })
            let damage = reader.damage
            #expect(damage == nil)
        }
    }

    @Test func `that is damaged gives what is before, and says where`() throws {
        write([(.output, "one\n"), (.output, "two\n"), (.error, "three\n")])
        let whole = try Data(contentsOf: URL(fileURLWithPath: file(0).string))
        for place in 0..<56 {
            var data = whole
            data[place] ^= 0x10
            try data.write(to: URL(fileURLWithPath: file(0).string))
            var reader = LogReader(directory)
            let records = try all(&reader)
            // A length that reaches beyond the end looks like a record that is not whole yet.
            let damage = reader.damage
            #expect(damage == ([21, 41].contains(place) ? nil : file(0)))
            #expect(
                records.map { String(decoding: $0.bytes, as: UTF8.self) }
                    == Array(["one\n", "two\n"].prefix(records.count))
            )
            #expect(records.count == [16, 36].count { $0 + 20 <= place })
        }
    }

    @Test func `that could not be written goes on where it can`() throws {
        let log = LogWriter(directory, small)
        append(log, .output, "before\n".utf8)
        let away = root.base.appending("away")
        try directory.rename(to: away)
        // The file is open, the next one can't be made.
        for _ in 0..<1000 { append(log, .output, "lost or not\n".utf8) }
        try away.rename(to: directory)
        append(log, .output, "after\n".utf8)
        let text = try text()
        #expect(text.hasPrefix("before\n"))
        #expect(text.hasSuffix("after\n"))
    }

    @Test func `that is not there is empty`() throws {
        try #expect(records() == [])
        var reader = LogReader(root.base.appending("nowhere"))
        try #expect(all(&reader) == [])
    }
}
