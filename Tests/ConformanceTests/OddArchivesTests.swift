import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

/// Archives and layouts through `mica load` and a mount.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `An odd archive` {
    let workspace: Workspace
    let store: MicaStore

    init() throws {
        workspace = try Workspace()
        store = MicaStore(root: try workspace.directory("store"))
    }

    /// Loads it; what mica said on standard error.
    private func load(_ archive: OddArchives) throws -> String {
        var files = ArchiveFiles()
        archive.make(&files)
        let path = "\(workspace.path)/archive"
        if archive.form == .directory {
            try files.write(to: workspace.directory("archive"))
        } else {
            try Data(files.entries.tar).write(to: URL(fileURLWithPath: path))
        }
        let mica = Tool.binaries.appendingPathComponent("mica").path
        let load = "\(mica) load --root \(store.root) -i"
        let command =
            switch archive.form {
            case .tar, .directory: "\(load) \(path)"
            case .gzip: "gzip \(path) && \(load) \(path).gz"
            case .zstd: "zstd -q \(path) && \(load) \(path).zst"
            case .xz: "xz \(path) && \(load) \(path).xz"
            case .bzip2: "bzip2 \(path) && \(load) \(path).bz2"
            case .pipe: "cat \(path) | \(load) -"
            }
        return try Tool.run(URL(fileURLWithPath: "/bin/sh"), ["-c", "{ \(command); } 2>&1"])
    }

    @Test(arguments: OddArchives.all) func `loads as it is documented`(archive: OddArchives) throws {
        switch archive.outcome {
        case .refused(let words):
            let failure = #expect(throws: Failure.self) { try load(archive) }
            #expect(failure?.message.contains(words) == true, "\(failure?.message ?? "")")
            #expect(try store.run("images", ["-q"]).isEmpty)
        case .loads(let words):
            let said = try load(archive)
            #expect(said.contains("Loaded image: localhost/odd:1\n"), "\(said)")
            #expect(words.isEmpty || said.contains("skipped: it is \(words)"), "\(said)")
            let mountpoint = try workspace.directory("mount")
            try store.run("mount", ["localhost/odd:1", mountpoint])
            for (name, text) in ["a": "one", "b": "two"] {
                let file = URL(fileURLWithPath: "\(mountpoint)/d/\(name)")
                #expect(String(decoding: try Data(contentsOf: file), as: UTF8.self) == text)
            }
            try store.run("inspect", ["localhost/odd:1"])
            #expect(try store.run("history", ["localhost/odd:1"]).split(separator: "\n").count >= 3)
            let images = try store.run("images", [])
            #expect(images.range(of: "[0-9]{3} years ago", options: .regularExpression) == nil, "\(images)")
            // And it can be passed on.
            try store.run("save", ["-o", "\(workspace.path)/saved", "localhost/odd:1"])
            let other = MicaStore(root: try workspace.directory("other"))
            try other.run("load", ["-i", "\(workspace.path)/saved"])
            #expect(
                try other.run("images", ["-q", "--no-trunc"]) == store.run("images", ["-q", "--no-trunc"])
            )
        }
    }
}
