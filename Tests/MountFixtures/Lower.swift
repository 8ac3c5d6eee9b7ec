import Foundation
import Linux
import SystemPackage

/// A tree that never changes, in the form that micafs is to have it in.
package struct Lower: Sendable {
    package let form: LowerForm
    /// Of an image: its chain index and the store.
    private let chain: String
    private let store: String
    /// Of a directory: itself; of several, all of them as `lowerdir=` names them.
    private let directory: String

    /// - Parameter directory: the tree; must stay as it is.
    package init(_ directory: String, as form: LowerForm, in workspace: Workspace) throws {
        (self.form, self.directory) = (form, directory)
        guard form == .image else {
            (chain, store) = ("", "")
            return
        }
        store = try workspace.directory("store-\(UUID().uuidString)")
        let tar = "\(store).tar"
        try Tool.run(
            URL(fileURLWithPath: "/usr/bin/tar"),
            ["--xattrs", "--xattrs-include=*", "--acls", "--format=posix", "--numeric-owner", "-S"]
                + ["-C", directory, "-cf", tar, "."]
        )
        let mica = Tool.binaries.appendingPathComponent("mica")
        try Tool.run(mica, ["import", "-q", tar, "lower"], store: store)
        try FilePath(tar).unlink()
        // A first mount makes the chain index.
        let mountpoint = try workspace.directory("first-\(UUID().uuidString)")
        try Tool.run(mica, ["mount", "lower", mountpoint], store: store)
        try Tool.run(mica, ["umount", mountpoint], store: store)
        let chains = try FilePath("\(store)/chains").names().map { String(decoding: $0, as: UTF8.self) }
        guard let only = chains.first, chains.count == 1 else {
            throw Failure("\(store)/chains: expected one chain, found \(chains)")
        }
        chain = "\(store)/chains/\(only)"
    }

    /// A stack of directories, the bottom one first.
    package init(layers: [String]) {
        form = .directory
        (chain, store) = ("", "")
        directory = layers.reversed().joined(separator: ":")
    }

    /// What micafs is to be called with, the mount point apart.
    package func arguments(upper: String, work: String) -> [String] {
        switch form {
        case .image: ["--chain", chain, "--store", store, "--upper", upper, "--work", work]
        case .directory: ["-o", "lowerdir=\(directory),upperdir=\(upper),workdir=\(work)"]
        }
    }
}
