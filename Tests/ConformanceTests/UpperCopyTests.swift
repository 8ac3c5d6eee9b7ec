import CLinux
import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

/// An upper is copied with a program that everybody has, and the copy is used instead of it.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts")) struct `A copy of an upper` {
    /// A shell's line that copies what is in `from` to `to`, which is there and empty.
    struct Program: Sendable, CustomTestStringConvertible {
        let testDescription: String
        init(_ line: String) { testDescription = line }

        func copy(_ from: String, to: String) throws {
            try Tool.run(
                URL(fileURLWithPath: "/bin/sh"),
                ["-ec", "from='\(from)'; to='\(to)'\n\(testDescription)"]
            )
        }
    }

    /// With all that the union has noted.
    static let exact = [
        Program("cp -a \"$from/.\" \"$to\""),
        Program("rsync -aHAXS --numeric-ids \"$from/\" \"$to/\""),
        Program(
            "tar -C \"$from\" -S --xattrs --xattrs-include='*' -cf - . | tar -C \"$to\" --xattrs --xattrs-include='*' -xf -"
        ),
    ]
    /// Without holes.
    static let filled = [
        Program("cp -a --sparse=never \"$from/.\" \"$to\""),
        Program("rsync -aHAX --numeric-ids \"$from/\" \"$to/\""),
        Program(
            "tar -C \"$from\" --xattrs --xattrs-include='*' -cf - . | tar -C \"$to\" --xattrs --xattrs-include='*' -xf -"
        ),
    ]
    /// With holes where zeros were.
    static let emptied = [
        Program("cp -a --sparse=always \"$from/.\" \"$to\""),
        Program("rsync -aHAXS --numeric-ids \"$from/\" \"$to/\""),
    ]
    /// Without extended attributes.
    static let bare = [
        Program("cp -r \"$from/.\" \"$to\""), Program("rsync -aS \"$from/\" \"$to/\""),
        Program("tar -C \"$from\" -S -cf - . | tar -C \"$to\" -xf -"),
        // Extraction brings the attributes of users only.
        Program("tar -C \"$from\" -S --xattrs -cf - . | tar -C \"$to\" --xattrs -xf -"),
    ]

    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// A mount of which something is in each form that is not simply a file, and which has ended.
    private func changed(_ form: LowerForm, _ more: (SmallTree) throws -> Void = { _ in }) throws -> SmallTree
    {
        let tree = try SmallTree(
            form,
            in: workspace,
            options: form == .directory ? ["-o", "metacopy=on"] : []
        )
        try write("x", at: 300_000, to: "large", in: tree)
        #expect(chmod(tree.path("file"), 0o600) == 0)
        #expect(tree.rename("full", "moved") == nil)
        try more(tree)
        try tree.mount.unmount()
        return tree
    }

    private func write(_ text: String, at offset: UInt64, to name: String, in tree: SmallTree) throws {
        let file = try tree.open(name, O_RDWR)
        try Array(text.utf8).withUnsafeBytes { try file.writeAll($0, at: offset) }
    }

    private func copy(of tree: SmallTree, by program: Program) throws -> String {
        let uppers = try workspace.directory(UUID().uuidString)
        try program.copy(tree.mount.upper, to: try workspace.directory("\(uppers.suffix(36))/upper"))
        return uppers
    }

    private var expected: String {
        var text = Array(String(repeating: "0123456789", count: SmallTree.large / 10).utf8)
        text[300_000] = UInt8(ascii: "x")
        return String(decoding: text, as: UTF8.self)
    }

    private func check(_ mount: LayeredMount) throws {
        #expect(try SmallTree.read("\(mount.path)/large") == expected)
        #expect(try SmallTree.read("\(mount.path)/file") == "lower file\n")
        #expect(try SmallTree.read("\(mount.path)/moved/sub/deep") == "deep\n")
        #expect(!FilePath("\(mount.path)/full").exists)
    }

    @Test(arguments: LowerForm.served, exact)
    func `with its attributes and holes is as good as it`(form: LowerForm, program: Program) throws {
        let tree = try changed(form)
        let mount = try LayeredMount(of: tree.mount, uppers: copy(of: tree, by: program))
        try check(mount)
        // From here on it is an upper like any other.
        #expect(chmod("\(mount.path)/large", 0o600) == 0)
        try mount.kill()
        try mount.mount()
        try check(mount)
        try mount.unmount()
        // And so is a copy of the copy.
        let again = try workspace.directory(UUID().uuidString)
        try Program("cp -a \"$from\" \"$to\"").copy(mount.upper, to: again)
        let second = try LayeredMount(of: mount, uppers: again)
        try check(second)
        try second.unmount()
        try tree.mount.mount()
        try check(tree.mount)
        try tree.mount.unmount()
    }

    private func expectDamaged(_ mount: LayeredMount, _ log: String) throws {
        let file = try OwnedFD.open(FilePath("\(mount.path)/large"), O_RDONLY)
        var byte: UInt8 = 0
        #expect(file.use { read($0, &byte, 1) } == -1)
        #expect(errno == EUCLEAN)
        #expect(truncate("\(mount.path)/large", 5) == -1)
        #expect(errno == EUCLEAN)
        // What is whole in it is there.
        #expect(try SmallTree.read("\(mount.path)/file") == "lower file\n")
        #expect(try SmallTree.read("\(mount.path)/moved/sub/deep") == "deep\n")
        #expect(try SmallTree.read(log).contains("/large is a copy that does not have the holes"))
        // It can be replaced.
        #expect(unlink("\(mount.path)/large") == 0)
        try SmallTree.write("new", to: "\(mount.path)/large")
        #expect(try SmallTree.read("\(mount.path)/large") == "new")
    }

    @Test(arguments: LowerForm.served, filled)
    func `without its holes shows no zeros, but an error, and the log says what to do`(
        form: LowerForm,
        program: Program
    ) throws {
        let tree = try changed(form)
        let log = "\(workspace.path)/log"
        let mount = try LayeredMount(
            of: tree.mount,
            uppers: copy(of: tree, by: program),
            options: ["--log", log]
        )
        try expectDamaged(mount, log)
        try mount.unmount()
    }

    @Test(arguments: LowerForm.served, emptied)
    func `with holes where zeros were does not show the lower there`(form: LowerForm, program: Program) throws
    {
        let tree = try changed(form) { tree in
            try write(String(repeating: "\0", count: 20_000), at: 400_000, to: "large", in: tree)
        }
        let log = "\(workspace.path)/log"
        let mount = try LayeredMount(
            of: tree.mount,
            uppers: copy(of: tree, by: program),
            options: ["--log", log]
        )
        try expectDamaged(mount, log)
        try mount.unmount()
    }

    @Test(arguments: LowerForm.served)
    func `that was made while files were written is not believed`(form: LowerForm) throws {
        let tree = try changed(form)
        try tree.mount.mount()
        // Another block: what was noted of the old ones is no longer true.
        try write("y", at: 700_000, to: "large", in: tree)
        let uppers = try copy(of: tree, by: Self.exact[0])
        try tree.mount.unmount()
        let log = "\(workspace.path)/log"
        let mount = try LayeredMount(of: tree.mount, uppers: uppers, options: ["--log", log])
        try expectDamaged(mount, log)
        try mount.unmount()
    }

    @Test(arguments: LowerForm.served)
    func `of an upper whose daemon was killed is believed once a mount that saw the file has ended`(
        form: LowerForm
    ) throws {
        let tree = try changed(form)
        try tree.mount.mount()
        try write("0", at: 700_000, to: "large", in: tree)
        try tree.mount.kill()
        let log = "\(workspace.path)/log"
        let early = try LayeredMount(
            of: tree.mount,
            uppers: copy(of: tree, by: Self.exact[0]),
            options: ["--log", log]
        )
        try expectDamaged(early, log)
        try early.unmount()
        try tree.mount.mount()
        try check(tree.mount)
        try tree.mount.unmount()
        let mount = try LayeredMount(of: tree.mount, uppers: copy(of: tree, by: Self.exact[0]))
        try check(mount)
        try mount.unmount()
    }

    @Test(arguments: LowerForm.served, bare)
    func `without its attributes is refused`(form: LowerForm, program: Program) throws {
        let tree = try changed(form)
        let uppers = try copy(of: tree, by: program)
        let failure = #expect(throws: Failure.self) { try LayeredMount(of: tree.mount, uppers: uppers) }
        #expect(failure?.description.contains("extended attributes") == true)
        #expect(failure?.description.contains("rsync -aHAXS") == true)
    }

    /// The one thing in an upper that depends on attributes.
    enum Change: CaseIterable { case write, chmod, move, replace }

    @Test(arguments: LowerForm.served, Change.allCases)
    func `without its attributes is refused, whatever the one change is`(form: LowerForm, change: Change)
        throws
    {
        let tree = try SmallTree(
            form,
            in: workspace,
            options: form == .directory ? ["-o", "metacopy=on"] : []
        )
        switch change {
        case .write: try write("x", at: 300_000, to: "large", in: tree)
        case .chmod: #expect(chmod(tree.path("file"), 0o600) == 0)
        case .move: #expect(tree.rename("full", "moved") == nil)
        case .replace:
            try FilePath(tree.path("full")).removeTree()
            #expect(mkdir(tree.path("full"), 0o755) == 0)
        }
        try tree.mount.unmount()
        let uppers = try copy(of: tree, by: Self.bare[0])
        let failure = #expect(throws: Failure.self) { try LayeredMount(of: tree.mount, uppers: uppers) }
        #expect(failure?.description.contains("extended attributes") == true)
    }

    @Test(arguments: LowerForm.served, filled + emptied)
    func `needs no holes once the upper was materialized`(form: LowerForm, program: Program) throws {
        let tree = try changed(form)
        try tree.mount.materialize()
        let mount = try LayeredMount(of: tree.mount, uppers: copy(of: tree, by: program))
        try check(mount)
        try mount.unmount()
    }

    @Test(arguments: LowerForm.served)
    func `of the form before files were known by their birth is taken as it is`(form: LowerForm) throws {
        let tree = try changed(form)
        let file = FilePath("\(tree.mount.upper)/large")
        try Xattr.set("trusted.overlay.metacopy", Array("p".utf8), at: file)
        #expect(clinux_remove_attribute(AT_FDCWD, file.string, "trusted.overlay.mica.map") == 0)
        let mount = try LayeredMount(of: tree.mount, uppers: copy(of: tree, by: Self.exact[0]))
        try check(mount)
        // It gets the new one when something is written.
        try SmallTree.patch("\(mount.path)/large", "y", at: 700_000)
        #expect(try Xattr.get("trusted.overlay.metacopy", at: FilePath("\(mount.upper)/large"))?.count == 3)
        try mount.unmount()
    }

    /// A snapshot that `mica` reads without a mount, and whose upper was replaced by a copy of it.
    private func snapshot(copiedBy program: Program) throws -> MicaStore {
        let tree = try SmallTree(.directory, in: workspace)
        try tree.mount.unmount()
        let store = MicaStore(root: try workspace.directory("store"))
        let tar = "\(workspace.path)/tar"
        try Tool.run(URL(fileURLWithPath: "/bin/tar"), ["-C", tree.lowerDirectory, "-cf", tar, "."])
        try store.run("import", ["-q", tar, "lower"])
        let target = try workspace.directory("target")
        try store.run("mount", ["--rw", "--name", "k", "lower", target])
        try SmallTree.patch("\(target)/large", "x", at: 300_000)
        #expect(rename("\(target)/full", "\(target)/moved") == 0)
        try store.run("umount", [target])
        let upper = try store.upper()
        let copy = "\(upper)-copy"
        try FilePath(copy).makeDirectory()
        try program.copy(upper, to: copy)
        try FilePath(upper).removeTree()
        #expect(rename(copy, upper) == 0)
        return store
    }

    private func commit(_ store: MicaStore) throws {
        let mica = Tool.binaries.appendingPathComponent("mica")
        try Tool.run(mica, ["snapshot", "commit", "new", "k"], store: store.root)
    }

    @Test func `without its holes is not committed`() throws {
        let store = try snapshot(copiedBy: Self.filled[0])
        let failure = #expect(throws: Failure.self) { try commit(store) }
        #expect(failure?.description.contains("/large was copied without the holes") == true)
    }

    @Test func `with its attributes and holes is committed`() throws {
        try commit(snapshot(copiedBy: Self.exact[0]))
    }

    @Test func `without its attributes is in no layer and in no diff`() throws {
        let store = try snapshot(copiedBy: Self.bare[0])
        for failure in [
            #expect(throws: Failure.self) { try commit(store) },
            #expect(throws: Failure.self) { try store.run("diff", ["k"]) },
        ] { #expect(failure?.description.contains("extended attributes") == true) }
    }

    /// The whiteout that says that there are attributes is not a change.
    @Test func `shows nothing of what says that it is one`() throws {
        let tree = try changed(.image)
        #expect(
            try FilePath("\(tree.mount.upper)/.needs-extended-attributes").status().st_mode & S_IFMT
                == S_IFCHR
        )
        try tree.mount.mount()
        #expect(try tree.names(".").filter { $0.hasPrefix(".") } == [])
        #expect(!tree.exists(".needs-extended-attributes"))
        // Its name is one like any other.
        try tree.write("mine", to: ".needs-extended-attributes")
        try tree.mount.remount()
        #expect(try tree.read(".needs-extended-attributes") == "mine")
        #expect(unlink(tree.path(".needs-extended-attributes")) == 0)
        try tree.mount.remount()
        try check(tree.mount)
        try tree.mount.unmount()
    }

    @Test func `is not looked for where the image has a file of that name`() throws {
        let tree = try SmallTree(.image, in: workspace) {
            try SmallTree.write("theirs", to: "\($0)/.needs-extended-attributes")
        }
        #expect(unlink(tree.path(".needs-extended-attributes")) == 0)
        try tree.mount.remount()
        #expect(!tree.exists(".needs-extended-attributes"))
        #expect(chmod(tree.path("file"), 0o600) == 0)
        try tree.mount.remount()
        #expect(try tree.read("file") == "lower file\n")
        try tree.mount.unmount()
    }
}
