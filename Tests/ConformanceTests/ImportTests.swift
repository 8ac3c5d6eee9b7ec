import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

/// `mica import` as a user calls it.
@Suite(.timeLimit(.minutes(40))) struct `An import` {
    let workspace: Workspace
    let store: MicaStore

    init() throws {
        workspace = try Workspace()
        store = MicaStore(root: try workspace.directory("store"))
        let root: Layer = [.directory("etc"), .file("etc/motd", "hello")]
        try Data(root.tar).write(to: URL(fileURLWithPath: "\(workspace.path)/root.tar"))
    }

    /// A command line of sh's in which $mica imports into the store; what it prints, errors too.
    private func sh(_ command: String) throws -> String {
        let mica = Tool.binaries.appendingPathComponent("mica").path
        return try Tool.run(
            URL(fileURLWithPath: "/bin/sh"),
            [
                "-ec",
                "cd \(workspace.path); mica='\(mica) import --root \(store.root) -q'; { \(command); } 2>&1",
            ]
        )
    }

    private func failure(_ command: String) -> String {
        do { return "no failure: \(try sh(command))" } catch { return "\(error)" }
    }

    @Test func `takes what is in a file or comes through a pipe, compressed or not`() throws {
        let ids = try [
            "$mica - < root.tar", "cat root.tar | $mica -", "gzip -c root.tar | $mica -",
            "zstd -qc root.tar | $mica -",
        ]
        .map { try sh("export SOURCE_DATE_EPOCH=86400; \($0)") }
        #expect(Set(ids).count == 1, "\(ids)")
        let layers = try sh(
            "export SOURCE_DATE_EPOCH=86400; $mica -m 'Imported from standard input' root.tar"
        )
        #expect(layers == ids[0])
    }

    @Test func `is of the time that SOURCE_DATE_EPOCH says, and refuses one that says none`() throws {
        let id = try sh("SOURCE_DATE_EPOCH=86400 $mica root.tar old:1")
        #expect(try store.run("inspect", ["old:1"]).contains("1970-01-02T00:00:00Z"))
        #expect(try sh("SOURCE_DATE_EPOCH=86400 $mica root.tar") == id)
        #expect(failure("SOURCE_DATE_EPOCH=yesterday $mica root.tar").contains("SOURCE_DATE_EPOCH"))
    }

    @Test func `reads no terminal, no directory and nothing from the network, and says what to do`() throws {
        let mica = Tool.binaries.appendingPathComponent("mica").path
        let terminal = "script -qec '\(mica) import --root \(store.root) -' /dev/null < /dev/null"
        #expect(failure(terminal).contains("is a terminal"))
        #expect(failure("$mica \(workspace.path)").contains("tar -C \(workspace.path)"))
        #expect(failure("$mica https://example.org/x.tar").contains("curl -L https://example.org/x.tar"))
    }
}
