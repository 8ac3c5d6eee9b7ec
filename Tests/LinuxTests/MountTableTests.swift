import Linux
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40))) struct `The mount table` {
    private func entries(_ text: String) -> [MountTable.Entry] {
        MountTable(parsing: Array(text.utf8)).entries
    }

    @Test func `has place, type, source and device of each mount`() {
        let text = """
            22 1 0:21 / /proc rw,nosuid shared:5 master:1 - proc proc rw
            23 1 0:22 / /a\\040b\\134 rw - fuse.mica my\\040image rw,user_id=0
            24 1 0:23 / /proc rw - tmpfs none rw
            """
        let table = MountTable(parsing: Array(text.utf8))
        #expect(
            table.entries == [
                .init(target: "/proc", type: "proc", source: "proc", device: "0:21", options: "rw"),
                .init(
                    target: "/a b\\",
                    type: "fuse.mica",
                    source: "my image",
                    device: "0:22",
                    options: "rw,user_id=0"
                ),
                .init(target: "/proc", type: "tmpfs", source: "none", device: "0:23", options: "rw"),
            ]
        )
        #expect(table.top(at: "/proc")?.type == "tmpfs")
        #expect(table.top(at: "/none") == nil)
        let some = MountTable(parsing: Array(text.utf8), types: ["tmpfs", "fuse.mica", "fuse"])
        #expect(some.entries == Array(table.entries.dropFirst()))
    }

    @Test func `leaves out what is cut off`() {
        #expect(entries("22 1 0:21 / /proc rw - proc").isEmpty)
        #expect(entries("22 1 0:21 / /proc rw shared:5 proc proc rw").isEmpty)
        #expect(entries("\n \n1 2 3").isEmpty)
        #expect(entries("1 2 3 / /a\\04 rw - x y z").map(\.target) == ["/a\\04"])
    }

    @Test func `tells directories apart whose names are no text`() {
        let line = { (name: [UInt8]) in
            Array("22 1 0:21 / /a".utf8) + name + Array("/m rw - proc proc rw\n".utf8)
        }
        let table = MountTable(parsing: line([0xff]) + line([0xfe]) + line(Array("b".utf8)))
        let directory = FilePath(platformString: [0x2f, 0x61, CChar(bitPattern: 0xfe), 0])
        #expect(table.targets(below: directory) == [directory.appending("m")])
        #expect(table.targets(below: "/a").isEmpty)
    }

    @Test func `knows what is mounted here`() {
        #expect(MountTable.current().top(at: "/proc")?.type == "proc")
        #expect(!MountTable.current().isDead("/proc"))
    }
}
