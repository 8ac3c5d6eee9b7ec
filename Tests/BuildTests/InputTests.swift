import Foundation
import Linux
import SystemPackage
import Testing

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: BuildBox.isPossible, "mounts, and needs root, busybox-static and the built mica")
)
struct `What a build gets` {
    let box: BuildBox

    init() throws { box = try BuildBox() }

    /// `$MICA` is the program.
    private func shell(_ script: String) throws -> String {
        try box.run("/bin/sh", ["-c", script], ["MICA": box.program.path])
    }

    @Test func `comes from standard input as a tar, compressed or not, or as a Dockerfile alone`() throws {
        try box.write("file", "text")
        try box.write("Dockerfile", "FROM base:1\nCOPY file /file\n")
        try box.write("other/Dockerfile", "FROM base:1\nCOPY . /all\n")
        for compress in ["cat", "gzip", "zstd -q"] {
            let id = try shell("tar -C '\(box.context)' -c . | \(compress) | $MICA build -q -")
            #expect(try box.shell(id.trimmingCharacters(in: .whitespacesAndNewlines), "cat /file") == "text")
        }
        let other = try shell("tar -C '\(box.context)' -c . | $MICA build -q -f other/Dockerfile -")
        #expect(
            try box.shell(other.trimmingCharacters(in: .whitespacesAndNewlines), "cat /all/file") == "text"
        )
        let alone = try shell("printf 'FROM base:1\\nENV A=1\\n' | $MICA build -q -")
        #expect(try box.shell(alone.trimmingCharacters(in: .whitespacesAndNewlines), "echo $A") == "1\n")
        let file = try shell("printf 'FROM base:1\\nCOPY file /f\\n' | $MICA build -q -f - '\(box.context)'")
        #expect(try box.shell(file.trimmingCharacters(in: .whitespacesAndNewlines), "cat /f") == "text")
        // The context's layer goes with its build.
        #expect(try !box.mica("gc", "--explain").contains("context "))
        for (input, message) in [
            ("printf 'FROM base:1\\nCOPY file /f\\n'", "Dockerfile:2: \"file\" is not there"),
            ("true", "the Dockerfile cannot be empty"), ("head -c 5000 /bin/busybox", "mica: "),
            ("tar -C '\(box.context)' -c . | head -c 700", "the context: "),
            ("tar -C '\(box.context)' -c file", "the context has no file Dockerfile"),
        ] {
            let text = try shell("\(input) | $MICA build -q - 2>&1 && echo BUILT; true")
            #expect(text.contains(message) && !text.contains("BUILT"), "\(input): \(text)")
        }
    }

    @Test func `as an argument is in no layer and in no history`() throws {
        let id = try box.image(
            "FROM base:1\nARG TOKEN\nRUN test ${#TOKEN} = 11 && echo done > /done\nCMD true\n",
            ["--build-arg", "TOKEN=hidden-word"]
        )
        #expect(try box.shell(id, "cat /done") == "done\n")
        #expect(try !box.mica("history", "--no-trunc", id).contains("hidden-word"))
        #expect((try? box.run("/bin/grep", ["-r", "-l", "hidden-word", box.store.string])) == nil)
    }

    @Test(.enabled(if: FilePath("/usr/bin/setpriv").exists, "setpriv is not installed"))
    func `from an ordinary user is built, but for RUN`() throws {
        let home = box.base.appending("home")
        try home.makeDirectory(mode: 0o755)
        try box.write("file", "text")
        try box.run(
            "/bin/sh",
            [
                "-c",
                """
                cp $(dirname "$MICA")/mica $(dirname "$MICA")/micafs $(dirname "$MICA")/mica-enter '\(home)'
                chmod 755 '\(box.base)'; chown 65534:65534 '\(home)'; chmod -R go+rX '\(box.context)'
                chmod 644 '\(box.base)/base.tar'
                """,
            ],
            ["MICA": box.program.path]
        )
        let prefix = "setpriv --reuid 65534 --regid 65534 --clear-groups '\(home)/mica'"
        let variables = ["MICA_ROOT": home.appending("store").string, "HOME": home.string]
        func mica(_ arguments: String) throws -> String {
            try box.run("/bin/sh", ["-c", "\(prefix) \(arguments) 2>&1; true"], variables)
        }
        _ = try mica("import -q '\(box.base)/base.tar' base:1")
        let tar = home.appending("out.tar")
        try box.write(
            "Dockerfile",
            "FROM base:1\nWORKDIR /d\nCOPY --chown=3:4 file a\nCOPY --from=base:1 /etc/passwd /\nCMD true\n"
        )
        let built = try mica("build -t own:1 -o type=tar,dest='\(tar)' '\(box.context)'")
        #expect(built.contains("sha256:"), "\(built)")
        let list = try box.run("/bin/tar", ["--numeric-owner", "-tvf", tar.string])
        #expect(
            list.split(separator: "\n").contains { $0.contains(" 3/4 ") && $0.hasSuffix("d/a") },
            "\(list)"
        )
        try box.write("Dockerfile", "FROM base:1\nWORKDIR /d\nRUN true\n")
        let refused = try mica("build '\(box.context)'")
        #expect(
            refused.contains("mica: Dockerfile:3: containers can't be run without CAP_SYS_ADMIN"),
            "\(refused)"
        )
    }
}
