import ContainerFixtures
import Foundation
import Linux
import Runner
import SystemPackage
import Testing

import Glibc

@Suite(.enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
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
}
