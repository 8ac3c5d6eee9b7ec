import ContainerFixtures
import Foundation
import Linux
import Runner
import SystemPackage
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40)), .enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
struct `User lookup` {
    let root: TestRoot
    init() throws { root = try TestRoot() }

    private func account(_ user: String) throws -> Account {
        try Account(of: user, root: try OwnedFD.open(root.path, O_RDONLY | O_DIRECTORY))
    }

    @Test(arguments: [
        ("", Account(uid: 0, gid: 0, home: "/root")),
        ("root", Account(uid: 0, gid: 0, home: "/root")),
        ("0", Account(uid: 0, gid: 0, home: "/root")),
        ("ann", Account(uid: 1000, gid: 1001, groups: [10, 46], home: "/home/ann")),
        ("1000", Account(uid: 1000, gid: 1001, groups: [10, 46], home: "/home/ann")),
        ("ann:wheel", Account(uid: 1000, gid: 10, home: "/home/ann")),
        ("1000:46", Account(uid: 1000, gid: 46, home: "/home/ann")),
        ("77", Account(uid: 77, gid: 0)),
        ("77:88", Account(uid: 77, gid: 88)),
        (":wheel", Account(uid: 0, gid: 10, home: "/root")),
    ]) func `follows docker's rules`(_ user: String, _ expected: Account) throws {
        try #expect(account(user) == expected)
    }

    @Test(arguments: [
        ("1002", Account(uid: 1002, gid: 7, groups: [11], home: "/home/bob")),
        ("0001002", Account(uid: 1002, gid: 7, groups: [11], home: "/home/bob")),
        ("bob:10", Account(uid: 1002, gid: 10, home: "/home/bob")),
        ("5", Account(uid: 5, gid: 6, groups: [12], home: "/five")),
        ("99:0046", Account(uid: 99, gid: 46)),
        ("2147483647", Account(uid: 2_147_483_647, gid: 0)),
    ]) func `takes digits for a number, also where somebody is named so`(_ user: String, _ expected: Account)
        throws
    {
        let passwd = "1002:x:5:6::/five:/bin/sh\nbob:x:1002:7::/home/bob:/bin/sh\n99:x:1:1::/:\n"
        try root.write("etc/passwd", Data(passwd.utf8))
        // A group that is named 10, and users in groups by name: the one named 1002 and bob.
        try root.write("etc/group", Data("10:x:99:\nb:x:11:bob\nd:x:12:1002\n".utf8))
        try #expect(account(user) == expected)
    }

    @Test(arguments: [
        "2147483648", "4294967296", "18446744073709551616", "1:4294967296", "1:99999999999999999999",
    ])
    func `refuses digits that are no id, and never takes them for another`(_ user: String) throws {
        let failure = try #require(throws: Failure.self) { try account(user) }
        #expect(failure.message.contains("beyond"))
    }

    @Test(arguments: ["nobody", "ann:nobody", "-1", "4294967295", "1000:-1"])
    func `refuses what is not there`(_ user: String) throws {
        #expect(throws: Failure.self) { try account(user) }
    }

    @Test func `needs no files for numbers`() throws {
        try root.path.appending("etc").removeTree()
        try #expect(account("5:6") == Account(uid: 5, gid: 6))
        try #expect(account("") == Account(uid: 0, gid: 0))
    }

    @Test func `stays inside the root when passwd is a link`() throws {
        let passwd = root.path.appending("etc/passwd")
        try passwd.unlink()
        try Data("eve:x:5:5::/:\n".utf8).write(
            to: URL(fileURLWithPath: root.outside.appending("passwd").string)
        )
        symlink("../../outside/passwd", passwd.string)
        #expect(throws: Failure.self) { try account("eve") }
    }

    @Test func `is not held up by a FIFO or a flood of lines`() throws {
        let passwd = root.path.appending("etc/passwd")
        try passwd.unlink()
        mkfifo(passwd.string, 0o644)
        #expect(throws: Failure.self) { try account("ann") }
        try passwd.unlink()
        try root.write("etc/passwd", Data(count: 17 << 20))
        #expect(throws: Failure.self) { try account("ann") }
    }

    @Test func `passes over a line that is longer than any entry`() throws {
        let colons = Data(repeating: UInt8(ascii: ":"), count: 15 << 20)
        try root.write("etc/passwd", colons)
        let failure = try #require(throws: Failure.self) { try account("nobody") }
        #expect(failure.message.contains("no user nobody"))
        try #expect(account("0") == Account(uid: 0, gid: 0))
        try root.write("etc/passwd", colons + Data("\nann:x:1000:1001::/:\nbob:x:1:2".utf8))
        try #expect(account("ann").uid == 1000)
        try #expect(account("bob") == Account(uid: 1, gid: 2, groups: [10]))
        // A group's line does not say who is in it.
        try root.write("etc/group", colons)
        #expect(throws: Failure.self) { try account("ann") }
    }

    @Test func `finds entries wherever the pieces end that are read`() throws {
        for length in [(1 << 20) - 30, (1 << 20) - 1, 1 << 20] {
            let filler = Data(repeating: UInt8(ascii: "#"), count: length - 1) + Data("\n".utf8)
            try root.write("etc/passwd", filler + Data("eve:x:7:8::/eve:/bin/sh\n".utf8))
            try #expect(account("eve") == Account(uid: 7, gid: 8, home: "/eve"))
        }
    }

    @Test func `counts a user's groups once each, and refuses more than a process can have`() throws {
        var lines = String(repeating: "g:x:5:ann\n", count: 200_000)
        try root.write("etc/group", Data(lines.utf8))
        try #expect(account("ann").groups == [5])
        lines = (1...70000).map { "g:x:\($0):bob,ann\n" }.joined()
        try root.write("etc/group", Data(lines.utf8))
        #expect(throws: Failure.self) { try account("ann") }
    }
}
