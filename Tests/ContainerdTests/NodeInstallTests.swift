import Foundation
import MountFixtures
import Testing

/// The script of the DaemonSet, on a directory that stands for a node's root, and with a program that writes down what
/// would be run on the node.
@Suite(.timeLimit(.minutes(40)))
struct `what puts micad on a node` {
    private let workspace: Workspace
    private static let files = ["mica", "micafs", "micad", "micad.service"]
    private static let script = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("../../mount-helpers/kubernetes/install").path

    init() throws {
        workspace = try Workspace()
        for file in Self.files { try write(file, to: try workspace.directory("files"), file) }
        try write(
            #"""
            #!/bin/sh
            echo "$*" >>"${0%/*}/log"
            case "$1" in
                ldd) cat "${0%/*}/libraries" 2>/dev/null || echo "libc.so.6 => /lib/libc.so.6 (0x1)" ;;
                systemctl) test ! -e "${0%/*}/broken" || exit 1 ;;
            esac
            """#,
            to: workspace.path,
            "enter"
        )
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755],
            ofItemAtPath: "\(workspace.path)/enter"
        )
    }

    private func write(_ text: String, to directory: String, _ name: String) throws {
        try text.write(toFile: "\(directory)/\(name)", atomically: false, encoding: .utf8)
    }

    private func install() throws -> String {
        let path = workspace.path
        return try Tool.run(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["NODE=\(path)/node", "FILES=\(path)/files", "ENTER=\(path)/enter", "sh", Self.script, "once"]
        )
    }

    private var log: [Substring] {
        let text = try? String(contentsOfFile: "\(workspace.path)/log", encoding: .utf8)
        return text?.split(separator: "\n") ?? []
    }

    @Test func `installs and starts it once, and again when a file is another one`() throws {
        #expect(try install() == "micad is on the node\n")
        let done = [
            "ldd /usr/local/bin/micad", "systemctl daemon-reload", "systemctl enable micad.service",
            "systemctl restart micad.service",
        ]
        #expect(log.map(String.init) == done)
        for file in Self.files {
            let place = file == "micad.service" ? "etc/systemd/system" : "usr/local/bin"
            let text = try String(contentsOfFile: "\(workspace.path)/node/\(place)/\(file)", encoding: .utf8)
            #expect(text == file)
        }
        _ = try install()
        #expect(log.count == done.count)
        try write("newer", to: "\(workspace.path)/files", "micafs")
        _ = try install()
        #expect(log.map(String.init) == done + done)
    }

    @Test func `does it anew after it has failed half-way`() throws {
        try write("", to: workspace.path, "broken")
        #expect(throws: (any Error).self) { try install() }
        try FileManager.default.removeItem(atPath: "\(workspace.path)/broken")
        _ = try install()
        #expect(log.last == "systemctl restart micad.service")
    }

    @Test func `names the libraries that the node lacks, and starts nothing`() throws {
        try write(
            "\tlibdeflate.so.0 => not found\n\tlibc.so.6 => /lib/libc.so.6\n",
            to: workspace.path,
            "libraries"
        )
        let failure = try #require(throws: (any Error).self) { try install() }
        #expect("\(failure)".contains("libdeflate.so.0"))
        #expect(!log.contains { $0.hasPrefix("systemctl") })
    }
}
