import Foundation
import ImageFixtures
import Linux
import OCI
import SystemPackage
import Testing

/// Listing images, what they take, and removing many.
@Suite(.timeLimit(.minutes(40)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `Images of a store` {
    private let mica: PullFixture

    /// Two that share their lowest layer, of 1000 bytes, one with two names; then one with a label, and one without a
    /// name.
    init() throws {
        mica = try PullFixture()
        var fixture = ArchiveFixture()
        let base = try ArchiveFixture.layer(["base": String(repeating: "b", count: 1000)])
        var entries: [Descriptor] = []
        for (name, count) in [("one:1", 10), ("two:1", 20)] {
            var entry = try fixture.addImage([
                base, ArchiveFixture.layer([name: String(repeating: "x", count: count)]),
            ])
            entry.annotations = [Annotation.imageName: "docker.io/library/\(name)"]
            entries.append(entry)
        }
        try fixture.addIndex(entries)
        let layout = try TemporaryDirectory()
        try fixture.write(to: layout)
        let loaded = try mica("load", "-q", "-i", layout.path.string)
        #expect(loaded.status == 0, "\(loaded.error)")
        #expect(try mica("tag", "one:1", "again:1").status == 0)
        try mica.directory.write("root.tar", ArchiveFixture.layer(["c": "d"]))
        let tar = mica.directory.path.appending("root.tar").string
        for (time, arguments) in [
            ("1700000000", ["-c", "LABEL kind=test", tar, "labelled:1"]),
            ("1600000000", ["-c", "ENV A=1", tar]),
        ] {
            var mica = mica
            mica.environment["SOURCE_DATE_EPOCH"] = time
            let made = try mica.run(["import", "-q"] + arguments)
            #expect(made.status == 0, "\(made.error)")
        }
    }

    private func names(_ arguments: String...) throws -> [String] {
        let result = try mica.run(["images", "--format", "{{.Repository}}"] + arguments)
        #expect(result.status == 0, "\(result.error)")
        return result.output.split(separator: "\n").map(String.init).sorted()
    }

    @Test func `are filtered as docker does it`() throws {
        #expect(try names() == ["<none>", "again", "labelled", "one", "two"])
        #expect(try names("-a") == names())
        #expect(try names("-f", "label=kind") == ["labelled"])
        #expect(try names("-f", "label=kind=test", "--filter", "dangling=false") == ["labelled"])
        #expect(try names("-f", "label=kind=other") == [])
        #expect(try names("-f", "dangling=true") == ["<none>"])
        #expect(try names("-f", "reference=*e:1", "-f", "reference=two") == ["one", "two"])
        #expect(try names("-f", "before=labelled:1") == ["<none>"])
        #expect(try names("-f", "until=2022-01-01") == ["<none>"])
        let oldest = try mica("images", "-q", "-f", "dangling=true").output.split(separator: "\n")[0]
        #expect(try names("-f", "since=\(oldest)") == ["again", "labelled", "one", "two"])
        #expect(try names("-f", "since=\(oldest)", "-f", "before=one:1") == ["labelled"])
        let wrong = try mica("images", "-f", "size=1")
        #expect(wrong.status == 64 && wrong.error.contains("there is no such filter"))
    }

    @Test func `are counted once, however many names they have`() throws {
        #expect(try mica.images().split(separator: "\n").count == 4)
        let rows = try mica("images", "--format", "{{.Repository}} {{.Size}} {{.SharedSize}} {{.UniqueSize}}")
            .output
        #expect(
            rows.contains("one 1.01kB 1.00kB 10B\n") && rows.contains("again 1.01kB 1.00kB 10B\n"),
            "\(rows)"
        )
        let table = try mica("images", "--format", "table {{.ID}}\\t{{.Tag}}", "one").output
        #expect(table.hasPrefix("IMAGE ID ") && table.split(separator: "\n").count == 2)
        #expect(try mica("images", "--format", "{{json .}}", "two").output.contains(#""Repository":"two""#))
        let wrong = try mica("images", "--format", "{{.Colour}}")
        #expect(wrong.status == 64 && wrong.error.contains(".Repository"))
        // Base once, and three more layers.
        let sizes = try mica(
            "system",
            "df",
            "--format",
            "{{.Type}}: {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}"
        )
        #expect(sizes.output.contains("Images: 4 0 1.03kB 1.03kB (100%)\n"), "\(sizes)")
        #expect(try mica("system", "df", "-v").output.contains("UNIQUE SIZE"))
        #expect(try mica("history", "--format", "{{.Size}}", "one:1").output == "10B\n1.00kB\n")
    }

    @Test func `stand on their layers`() throws {
        let lines = try mica("tree").output.split(separator: "\n").map(String.init)
        let base = try #require(lines.firstIndex { $0.hasSuffix(" 1.00kB") })
        let above = lines[(base + 1)...].prefix(2)
        #expect(above.allSatisfy { $0.hasPrefix("├─ ") || $0.hasPrefix("└─ ") }, "\(lines)")
        #expect(above.contains { $0.contains("again:1") && $0.contains("one:1") })
        #expect(try mica("tree", "two:1").output.split(separator: "\n").allSatisfy { !$0.hasPrefix("└") })
    }

    @Test func `go in numbers, and not without being asked for`() throws {
        #expect(try mica("image", "prune").status == 1)
        #expect(
            try mica("image", "prune", "-f", "--filter", "until=2020-01-01T00:00:00Z").output.hasPrefix(
                "Total"
            )
        )
        let dangling = try mica("image", "prune", "-f")
        #expect(dangling.status == 0, "\(dangling.error)")
        #expect(dangling.output.contains("deleted: sha256:"))
        #expect(try names() == ["again", "labelled", "one", "two"])
        let old = try mica("image", "prune", "-af", "--filter", "label=kind", "--filter", "until=2024-01-01")
        #expect(old.output.contains("untagged: labelled:1"), "\(old)")
        #expect(try names() == ["again", "one", "two"])
        let all = try mica("system", "prune", "-af")
        #expect(all.status == 0, "\(all.error)")
        #expect(try names() == [])
        #expect(try mica.store.appending("layers").names().isEmpty)
    }

    @Test func `need not be there to be removed by force`() throws {
        #expect(try mica("rmi", "none").status == 1)
        let forced = try mica("rmi", "-f", "none", "two:1")
        #expect(forced.status == 0 && forced.error.contains("no such image"), "\(forced.error)")
        #expect(try names() == ["<none>", "again", "labelled", "one"])
    }

    @Test func `can be removed by the digest that they came with`() throws {
        let digest = try mica("images", "--format", "{{.Digest}}", "two").output.split(separator: "\n")[0]
        let gone = try mica("rmi", "two@\(digest)")
        #expect(gone.status == 0, "\(gone.error)")
        #expect(try names() == ["<none>", "again", "labelled", "one"])
    }
}
