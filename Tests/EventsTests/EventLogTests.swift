import Events
import Foundation
import Linux
import Scratch
import SystemPackage
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40)))
struct `An event log` {
    let directory: FilePath

    init() throws {
        var template = Array(Scratch.prefix("events").appending("XXXXXX").utf8CString)
        _ = try #require(mkdtemp(&template))
        directory = FilePath(platformString: template).appending("events")
    }

    private var log: EventLog { EventLog(directory) }

    private func event(_ action: String, id: String = "a", _ attributes: [String: String] = [:]) -> StoreEvent
    {
        StoreEvent(.container, action, id: id, attributes: attributes, time: 1_769_900_399_000_000_001)
    }

    private func all() throws -> [StoreEvent] {
        var reader = try EventReader(directory, fromNow: false)
        return try reader.next()
    }

    /// The files that there are.
    private func files() throws -> [Int] {
        let names: [[UInt8]] = try directory.names()
        return names.compactMap { Int(String(decoding: $0, as: UTF8.self)) }.sorted()
    }

    @Test(arguments: [
        "", "\"", "\\", "\n\r\t\0", "\u{1b}[2J", "\u{7f}\u{9b}\u{2028}\u{202e}", "naïve 日本 🗻", "a\u{0301}",
        "{\"Type\":\"image\"}",
    ])
    func `tells what it was told, whatever the words`(text: String) throws {
        let told = event("exec_start: \(text)", id: text, ["name": text, text: "value"])
        #expect(told.json.unicodeScalars.allSatisfy { !Printable.isControl($0) })
        log.record(told)
        log.record(event("die"))
        #expect(try all() == [told, event("die")])
    }

    @Test func `of many writers has each event whole, once, in each writer's order`() throws {
        let (writers, each) = (4, 1200)
        let padding = String(repeating: "x", count: 200)
        let isDone = Ends()
        let log = log
        let threads = (0..<writers).map { writer in
            Thread {
                for number in 0..<each {
                    log.record(
                        StoreEvent(.image, "\(number)", id: "\(writer)", attributes: ["p": padding], time: 1)
                    )
                }
                isDone.signal()
            }
        }
        // Follows from before the log is there.
        var follower = try EventReader(directory, fromNow: false)
        for thread in threads { thread.start() }
        var followed: [StoreEvent] = []
        while followed.count < writers * each, !follower.isBehind {
            followed += try follower.next()
            follower.wait(milliseconds: 50)
        }
        for _ in threads { isDone.wait() }
        // More than one file's worth, and no more than is kept.
        #expect(try files() == [1, 2])
        for events in [followed, try all()] {
            for writer in 0..<writers {
                let own = events.filter { $0.id == "\(writer)" }.map(\.action)
                #expect(own == (0..<each).map { "\($0)" })
            }
        }
        let isBehind = follower.isBehind
        #expect(!isBehind)
    }

    @Test func `keeps its two last files, and says who is behind`() throws {
        let large = event("large", ["p": String(repeating: "x", count: 600_000)])
        log.record(event("first"))
        var early = try EventReader(directory, fromNow: false)
        #expect(try early.next() == [event("first")])
        for _ in 0..<5 { log.record(large) }
        let kept = try files()
        #expect(kept.count == 2 && kept.last ?? 0 > 3)
        let late = try early.next()
        let isBehind = early.isBehind
        #expect(isBehind && !late.isEmpty && late.allSatisfy { $0 == large })
    }

    @Test func `goes on behind what was cut short or is no event`() throws {
        log.record(event("one"))
        let file = directory.appending("1")
        for rest in ["{\"Type\":\"container\",\"Act", "\0\0\0\0\n\n{}\n[1]\nno\n", "{\"Type\":\"later\"}\n"] {
            do {
                let fd = try OwnedFD.open(file, O_WRONLY | O_APPEND)
                try fd.writeAll(Array(rest.utf8))
            }
            log.record(event("behind"))
        }
        #expect(try all() == [event("one")] + Array(repeating: event("behind"), count: 3))
    }

    @Test func `is not held up by a process that has it locked`() throws {
        log.record(event("one"))
        let lock = try FileLock(directory.appending("1"))
        log.record(event("two"))
        _ = consume lock
        #expect(try all() == [event("one"), event("two")])
    }

    @Test func `follows no link, and waits for no FIFO`() throws {
        try directory.makeDirectory(mode: 0o700)
        let other = directory.removingLastComponent().appending("other")
        symlink(other.string, directory.appending("1").string)
        log.record(event("lost"))
        #expect(!other.exists)
        #expect(try all().isEmpty)
        try directory.appending("1").unlink()
        mkfifo(directory.appending("1").string, 0o600)
        log.record(event("lost"))
        #expect(try all().isEmpty)
    }

    @Test func `shows from now on what comes, and nothing else`() throws {
        log.record(event("before"))
        var reader = try EventReader(directory, fromNow: true)
        #expect(try reader.next().isEmpty)
        log.record(event("after"))
        reader.wait(milliseconds: 600_000)
        #expect(try reader.next() == [event("after")])
    }

    @Test func `can't be made where there is no place, and nothing fails`() throws {
        let log = EventLog(directory.appending("none").appending("events"))
        log.record(event("lost"))
        var reader = try EventReader(directory.appending("none"), fromNow: true)
        #expect(try reader.next().isEmpty)
    }
}

/// Waits until threads have ended.
private final class Ends: @unchecked Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    func signal() { semaphore.signal() }
    func wait() { semaphore.wait() }
}
