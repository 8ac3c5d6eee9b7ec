package import OCI
package import Layers
package import SystemPackage

import Linux
import Overlay

import Glibc

/// The root directory that a stack of layers has. An upper's root is the root of the mount: it has the same attributes
/// until they are changed.
package struct RootDirectory {
    /// UTIME_OMIT, a macro: the time stays as it is.
    private static let omitted = (1 << 30) - 2

    private let index: LayerIndex
    private let inode: InodeRecord

    /// `layers`: bottom to top, at least one. Without folding them: a stack of which a layer is only the content of a
    /// snapshot may never be mounted.
    package init(of layers: [Digest], _ layout: StoreLayout) throws {
        let chains = ChainStore(layout: layout)
        // One inode is wanted: not worth a look at the whole file, where there is one.
        if let known = try? LayerIndex(chains.path(for: layers), verifying: false),
            let root = try? known.inode(0)
        {
            index = known
            inode = root
            return
        }
        guard let lowest = layers.first else { throw Failure("a stack without layers has no root directory") }
        // The topmost that mentions it, as where layers are folded.
        for diffID in layers.reversed() {
            let layer = try chains.layer(diffID)
            let root = try layer.inode(0)
            guard !root.isImplied || diffID == lowest else { continue }
            index = layer
            inode = root
            return
        }
        throw Failure("layer \(lowest) has no root directory")
    }

    /// Gives its attributes to `upper`: a directory that has none, or those of `old`, which it loses.
    package func copy(to upper: FilePath, insteadOf old: RootDirectory? = nil) throws {
        let xattrs = try xattrs()
        let lost = try old?.xattrs().filter { old in !xattrs.contains { $0.name == old.name } } ?? []
        try naming("create \(upper)") {
            // Without privileges everything belongs to the user, who can't set what only root can.
            let isRoot = geteuid() == 0
            do {
                try Errno.check(upper.withPlatformString { lchown($0, inode.uid, inode.gid) })
            } catch Errno.notPermitted where !isRoot {
                try OverlayMarks.user.setOwner(of: upper, to: OwnerMark(uid: inode.uid, gid: inode.gid))
            }
            try Errno.check(upper.withPlatformString { chmod($0, inode.mode & 0o7777) })
            for xattr in lost {
                do {
                    try Xattr.remove(OverlayMarks.stored(XattrName(xattr.name)), at: upper)
                } catch Errno.noData {}
            }
            for xattr in xattrs {
                do {
                    try Xattr.set(OverlayMarks.stored(XattrName(xattr.name)), xattr.value, at: upper)
                } catch Errno.notPermitted where !isRoot {
                } catch Errno.notSupported where !isRoot {}
            }
            let times = [
                timespec(tv_sec: 0, tv_nsec: RootDirectory.omitted),
                timespec(tv_sec: Int(inode.mtimeSeconds), tv_nsec: Int(inode.mtimeNanoseconds)),
            ]
            try Errno.check(
                upper.withPlatformString { utimensat(AT_FDCWD, $0, times, AT_SYMLINK_NOFOLLOW) }
            )
        }
    }

    /// Whether nothing was written to an upper over these layers: it is empty, and its root is as it was made.
    package func isUntouched(_ upper: FilePath) throws -> Bool {
        guard try naming("read \(upper)", { try upper.names() }).isEmpty else { return false }
        let root = try naming("open \(upper)") { try UpperFile(root: upper) }
        guard root.attributes == NodeAttributes(inode) else { return false }
        let (own, wanted) = (try naming("read \(upper)") { try root.nodeXattrs(root.marks) }, try xattrs())
        // Those that only root can set are missing in a user's.
        return own.allSatisfy(wanted.contains) && (own.count == wanted.count || geteuid() != 0)
    }

    /// As the mount shows them.
    private func xattrs() throws -> [NodeXattr] {
        var xattrs: [NodeXattr] = []
        try index.forEachXattr(of: inode) { (name, value) throws(FSError) in
            xattrs.append(NodeXattr(name: Array(name), value: Array(value)))
            return true
        }
        return xattrs
    }
}
