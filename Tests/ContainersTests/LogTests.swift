import ContainerFixtures
import Containers
import Foundation
import Runner
import SystemPackage
import Testing

@Suite struct `A log` {
    let root: TestRoot
    let path: FilePath
    init() throws {
        root = try TestRoot()
        path = root.base.appending("log")
    }

    private func write(_ pieces: [[UInt8]]) {
        let log = LogWriter(path)
        for piece in pieces { piece.withUnsafeBytes { log.append(.output, $0) } }
        log.finish()
    }

    private func lines(toLast count: Int? = nil) throws -> [String] {
        var reader = LogReader(path)
        if let count { try reader.skip(toLast: count) }
        var lines: [String] = []
        while true {
            let more = try reader.next()
            if more.isEmpty { return lines }
            lines += more.map { String(decoding: $0.text, as: UTF8.self) }
        }
    }

    @Test func `has a line for each line, however the pieces came`() throws {
        write(["a", "b\nc", "\n\nd"].map { Array($0.utf8) })
        try #expect(lines() == ["ab\n", "c\n", "\n", "d"])
    }

    @Test func `keeps every kind of character`() throws {
        let text = "\u{1}\"\\\t\r\u{1b}[31m ä 漢 \u{7f}\n"
        write([Array(text.utf8)])
        try #expect(lines() == [text])
        write([[0x61, 0xff, 0x0a]])
        try #expect(lines().last == "a\u{fffd}\n")
    }

    @Test func `splits what is longer than 16 KiB`() throws {
        write([Array(repeating: 0x78, count: 40000) + [0x0a]])
        try #expect(lines().map(\.utf8.count) == [16384, 16384, 7233])
    }

    @Test func `is read from its last lines`() throws {
        write([Array((0..<5000).map { "line \($0)\n" }.joined().utf8)])
        try #expect(lines(toLast: 2) == ["line 4998\n", "line 4999\n"])
        try #expect(lines(toLast: 0) == [])
        try #expect(lines(toLast: 4000).first == "line 1000\n")
        try #expect(lines(toLast: 9999).count == 5000)
    }

    @Test func `that was cut off gives what is whole`() throws {
        write([Array("one\ntwo\n".utf8)])
        var data = try Data(contentsOf: URL(fileURLWithPath: path.string))
        data.removeLast(5)
        try data.write(to: URL(fileURLWithPath: path.string))
        try #expect(lines() == ["one\n"])
    }

    @Test func `that is not there is empty`() throws {
        try #expect(lines() == [])
    }

    @Test func `has docker's fields`() throws {
        write([Array("x\n".utf8)])
        let object = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(fileURLWithPath: path.string))
        )
        let line = try #require(object as? [String: String])
        #expect(Set(line.keys) == ["log", "stream", "time"])
        #expect(line["stream"] == "stdout")
        #expect(line["time"]?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z/) != nil)
    }
}
