import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

private let hasUmoci = FileManager.default.isExecutableFile(atPath: "/usr/bin/umoci")

/// Layers through `mica load` and a mount, against umoci, which unpacks them one over another.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0 && hasUmoci, "mounts, and asks umoci"))
struct `An image of odd layers` {
    let workspace: Workspace
    let store: MicaStore

    init() throws {
        workspace = try Workspace()
        store = MicaStore(root: try workspace.directory("store"))
    }

    private func mount(_ image: OddLayers) throws -> String {
        let layout = try workspace.directory("layout")
        try OCILayout.write(image.tars, to: layout, tag: "x")
        try store.run("load", ["-i", layout, "-t", "odd:1"])
        let mountpoint = try workspace.directory("mica")
        try store.run("mount", ["odd:1", mountpoint])
        return mountpoint
    }

    @Test(arguments: OddLayers.all) func `becomes the tree that is documented`(image: OddLayers) throws {
        switch image.outcome {
        case .asUmoci:
            let mica = try mount(image)
            let umoci = URL(fileURLWithPath: "/usr/bin/umoci")
            let bundle = "\(workspace.path)/bundle"
            try Tool.run(umoci, ["unpack", "--image", "\(workspace.path)/layout:x", bundle])
            let tree = try Tree(at: mica)
            // umoci makes directories that no entry mentions, and loses the time of some that an entry does.
            let differences = try tree.withoutDirectoryTimes.differences(
                from: Tree(at: "\(bundle)/rootfs").withoutDirectoryTimes
            )
            #expect(differences == [], "\(differences.joined(separator: "\n"))")
            #expect(tree.oddities == [])
        case .refused(let words):
            let failure = #expect(throws: Failure.self) { try mount(image) }
            #expect(failure?.message.contains(words) == true, "\(failure?.message ?? "")")
            #expect(try store.run("images", ["-q"]).isEmpty)
        case .tree(let paths):
            let mica = try mount(image)
            for (path, text) in paths {
                let file = URL(fileURLWithPath: "\(mica)/\(path)")
                let found = try? String(decoding: Data(contentsOf: file), as: UTF8.self)
                let isDirectory = (try? FilePath(file.path).status()).map { $0.st_mode & S_IFMT == S_IFDIR }
                #expect((isDirectory == true ? "/" : found) == text, "\(path)")
            }
        }
    }
}
