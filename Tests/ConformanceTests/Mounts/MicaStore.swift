import Foundation
import Linux
import MountFixtures
import SystemPackage

/// A store of its own, used as a user would: through the command line.
struct MicaStore {
    let root: String

    @discardableResult
    func run(_ verb: String, _ arguments: [String]) throws -> String {
        try Tool.run(Tool.binaries.appendingPathComponent("mica"), ["--root", root, verb] + arguments)
    }

    /// Loads layers (bottom first) as an image.
    func load(_ layers: [Layer], as name: String, using workspace: Workspace) throws {
        let archive = "\(workspace.path)/\(UUID().uuidString).tar"
        defer { try? FilePath(archive).unlink() }
        try Data(try DockerArchive.bytes(of: layers, named: name)).write(to: URL(fileURLWithPath: archive))
        try run("load", ["-i", archive])
    }

    /// The upper directory of the only writable snapshot.
    func upper() throws -> String {
        let directory = FilePath("\(root)/snapshots")
        let uppers = try directory.names().map { "\(directory)/\(String(decoding: $0, as: UTF8.self))/upper" }
            .filter { FilePath($0).exists }
        guard uppers.count == 1, let only = uppers.first else {
            throw Failure("\(directory): expected one snapshot with an upper, found \(uppers.count)")
        }
        return only
    }
}
