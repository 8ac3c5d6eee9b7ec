import Layers
import Linux
import Runner
import SystemPackage

import Glibc
import Tar

extension Copier.Owner {
    /// `--chown`: "user", "uid", "user:group" or "uid:gid", where names are those of the image that is copied into. As in
    /// BuildKit, a user's name without a group means their own group, and a number means the group of that number.
    init(_ text: String, in tree: any FileTree, _ layout: StoreLayout) throws {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init
        )
        let user = parts.first ?? ""
        let group = parts.count > 1 ? parts[1] : ""
        let numbers = (UInt32(user), UInt32(group))
        if let uid = numbers.0, group.isEmpty {
            self.init(uid: uid, gid: uid)
            return
        }
        if let uid = numbers.0, let gid = numbers.1 {
            self.init(uid: uid, gid: gid)
            return
        }
        let account = try Copier.Owner.account(group.isEmpty ? user : "\(user):\(group)", tree, layout)
        self.init(uid: account.uid, gid: account.gid)
    }

    /// Looks it up as a container's user is: in a directory that has the image's two files.
    private static func account(_ user: String, _ tree: any FileTree, _ layout: StoreLayout) throws -> Account
    {
        let directory = try layout.staging("accounts")
        defer { try? directory.removeTree() }
        let etc = directory.appending("etc")
        try naming("create \(etc)") { try etc.makeDirectory(mode: 0o700) }
        for name in ["passwd", "group"] {
            let path = TreePath.names("etc/\(name)".utf8)
            guard let file = try TreePath.resolve(path, in: Opaque(tree)).file,
                file.attributes.kind == .file
            else { continue }
            guard file.attributes.size <= 16 << 20 else {
                throw Failure("/etc/\(name) of the image is too large")
            }
            let copy = try naming("create \(etc.appending(name))") {
                try OwnedFD.open(etc.appending(name), O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            }
            var source = try file.content()
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
            defer { buffer.deallocate() }
            while true {
                let count = try source.read(into: buffer)
                if count == 0 { break }
                try naming("write \(etc.appending(name))") {
                    try copy.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                }
            }
        }
        let root = try naming("open \(directory)") { try OwnedFD.open(directory, O_PATH | O_DIRECTORY) }
        return try Account(of: user, root: root)
    }
}
