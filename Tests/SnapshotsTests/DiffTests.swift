import Changes
import Foundation
import Linux
import Snapshots
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40))) struct `A diff` {
    private func lines(_ body: (@escaping (Change) throws -> Void) throws -> Void) throws -> [String] {
        let changes = Changes()
        try body { changes.lines.append("\($0.kind.rawValue) \(String(decoding: $0.path, as: UTF8.self))") }
        return changes.lines
    }

    private final class Changes {
        var lines: [String] = []
    }

    private func prepared(_ test: TestStore) throws {
        let image = try test.image(
            [["a": "1", "d/x": "2", "d/y": "3", "e/f/g": "4"], ["b": "3"]],
            named: ["base"]
        )
        try test.store.prepare("k", parent: test.store.topSnapshot(of: image.id))
    }

    @Test func `of an untouched snapshot is empty`() throws {
        let test = try TestStore()
        try prepared(test)
        #expect(try lines { try test.store.diff("k", report: $0) } == [])
    }

    @Test(
        .enabled(if: KernelOverlay.isPossible, "needs root and overlayfs"),
        arguments: ["", ",redirect_dir=on,metacopy=on"]
    )
    func `has docker's letters`(_ options: String) throws {
        let test = try TestStore()
        try test.store.prepare("base", parent: nil)
        try shell(
            """
            mkdir -p d/sub e/f g h; echo 1 > a; echo 2 > d/x; echo 3 > d/sub/y; echo 4 > e/f/z; echo 5 > g/1
            echo 6 > h/1; echo 7 > meta; echo 8 > same
            """,
            in: test.upper("base")
        )
        let base = try test.store.commit("base", as: "base")
        try test.store.prepare("k", parent: test.store.topSnapshot(of: base.id))
        _ = try KernelOverlay.change(
            "k",
            of: test,
            over: test.upper("base"),
            options: options,
            script: """
                echo more >> d/sub/y; rm a; echo new > e/new; mkdir -p n/m; echo x > n/m/x; rm -r g; echo g > g
                rm -r h; mkdir h; echo 2 > h/2; chmod 600 meta; touch -r same same
                """
        )
        #expect(
            try lines { try test.store.diff("k", report: $0) } == [
                "D /a", "C /d", "C /d/sub", "C /d/sub/y", "C /e", "A /e/new", "C /g", "C /h", "D /h/1",
                "A /h/2",
                "C /meta", "A /n", "A /n/m", "A /n/m/x", "C /same",
            ]
        )
        // The image that is made of it differs in the same way, but for what is the same after all.
        _ = try test.store.commit("k", as: "made")
        #expect(
            try lines { try test.store.diff("base", "made", report: $0) } == [
                "D /a", "C /d", "C /d/sub", "C /d/sub/y", "C /e", "A /e/new", "C /g", "C /h", "D /h/1",
                "A /h/2",
                "C /meta", "A /n", "A /n/m", "A /n/m/x",
            ]
        )
        #expect(try lines { try test.store.diff("made", "k", report: $0) } == [])
    }

    @Test func `of two images sees content, and knows equal content in different layers`() throws {
        let test = try TestStore()
        let large = String(repeating: "large", count: 100_000)
        try test.image([["same": "1", "big": large, "dir/f": "1", "t": "x"]], named: ["one"])
        try test.image([["same": "1"], ["big": large], ["dir/f": "2", "u": "y"]], named: ["two"])
        #expect(
            try lines { try test.store.diff("one", "two", report: $0) } == [
                "C /dir", "C /dir/f", "D /t", "A /u",
            ]
        )
        #expect(
            try lines { try test.store.diff("two", "one", report: $0) } == [
                "C /dir", "C /dir/f", "A /t", "D /u",
            ]
        )
        #expect(try lines { try test.store.diff("one", "one", report: $0) } == [])
    }

    @Test func `tells sizes`() throws {
        let test = try TestStore()
        try test.image([["f": "12345", "g": "123"]], named: ["one"])
        try test.image([["f": "12", "h": "1234"]], named: ["two"])
        let changes = Found()
        try test.store.diff("one", "two") { changes.list.append($0) }
        #expect(
            changes.list == [
                Change(kind: .changed, path: Array("/f".utf8), size: 2, difference: -3),
                Change(kind: .deleted, path: Array("/g".utf8), size: 3, difference: -3),
                Change(kind: .added, path: Array("/h".utf8), size: 4, difference: 4),
            ]
        )
    }

    private final class Found {
        var list: [Change] = []
    }

    @Test func `of one argument needs an upper`() throws {
        let test = try TestStore()
        try prepared(test)
        #expect(refusal { try test.store.diff("base") { _ in } } == .failedPrecondition)
        #expect(refusal { try test.store.diff("none") { _ in } } == .notFound)
        #expect(refusal { try test.store.diff("base", "none") { _ in } } == .notFound)
    }
}
