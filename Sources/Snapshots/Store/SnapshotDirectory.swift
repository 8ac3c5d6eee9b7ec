import Layers
import Linux
import OCI
import Overlay
import SystemPackage

import Glibc

/// The directory of an active snapshot: `upper` (the kernel overlayfs format) and `work`.
enum SnapshotDirectory {
    /// UTIME_OMIT, a macro: the time stays as it is.
    private static let omitted = (1 << 30) - 2

    /// A new one in tmp/, over a stack of layers (bottom to top). `durably`: on disk when this returns.
    static func stage(
        _ layout: StoreLayout,
        over layers: [Digest],
        durably: Bool = true
    ) throws -> FilePath {
        let staged = try layout.staging("snapshot")
        do {
            try naming("create \(staged)") {
                try staged.appending("work").makeDirectory(mode: 0o700)
                // The root of what is mounted, where no layer says how that is.
                try staged.appending("upper").makeDirectories(exactly: 0o755)
            }
            if !layers.isEmpty { try copyRoot(of: layers, layout, to: staged.appending("upper")) }
            if durably { try staged.synchronize() }
            return staged
        } catch {
            try? staged.removeTree()
            throw error
        }
    }

    /// The upper's root is the root of the mount: it has the attributes of the one below.
    private static func copyRoot(of layers: [Digest], _ layout: StoreLayout, to upper: FilePath) throws {
        let chains = ChainStore(layout: layout)
        // One inode is wanted: not worth a look at the whole file, where there is one.
        let known = try? LayerIndex(chains.path(for: layers), verifying: false)
        let index = try known ?? chains.index(for: layers)
        let root = try index.inode(0)
        var xattrs: [(XattrName, [UInt8])] = []
        try index.forEachXattr(of: root) { (name, value) throws(FSError) in
            xattrs.append((OverlayMarks.stored(XattrName(name)), Array(value)))
            return true
        }
        try naming("create \(upper)") {
            // Without privileges everything belongs to the user, who can't set what only root can.
            let isRoot = geteuid() == 0
            do {
                try Errno.check(upper.withPlatformString { lchown($0, root.uid, root.gid) })
            } catch Errno.notPermitted where !isRoot {
                try OverlayMarks.user.setOwner(of: upper, to: KeptOwner(uid: root.uid, gid: root.gid))
            }
            try Errno.check(upper.withPlatformString { chmod($0, root.mode & 0o7777) })
            for (name, value) in xattrs {
                do {
                    try Xattr.set(name, value, at: upper)
                } catch Errno.notPermitted where !isRoot {
                } catch Errno.notSupported where !isRoot {}
            }
            let times = [
                timespec(tv_sec: 0, tv_nsec: SnapshotDirectory.omitted),
                timespec(tv_sec: Int(root.mtimeSeconds), tv_nsec: Int(root.mtimeNanoseconds)),
            ]
            try Errno.check(
                upper.withPlatformString { utimensat(AT_FDCWD, $0, times, AT_SYMLINK_NOFOLLOW) }
            )
        }
    }

    /// See `WorkDirectory.lock`.
    static func lock(_ directory: FilePath) throws(Errno) -> OwnedFD? {
        try WorkDirectory.lock(directory.appending("work"))
    }

    /// Whether a mount is served from it.
    static func isInUse(_ directory: FilePath) -> Bool {
        do {
            switch try lock(directory) {
            case .some: return false
            case .none: return true
            }
        } catch {
            // Without a work directory nothing can be.
            return false
        }
    }

    /// Renames it into place. Called inside the transaction that gives it its number, so what is there
    /// under that number is left over from a transaction that was never committed, and nobody has written to it. What
    /// somebody has written to is a snapshot that the database has forgotten: that is set apart.
    static func publish(_ staged: FilePath, as row: Int64, in layout: StoreLayout, durably: Bool = true)
        throws
    {
        let place = layout.snapshot(row)
        try naming("create \(place)") {
            do {
                try staged.rename(to: place)
            } catch Errno.directoryNotEmpty {
                if try place.appending("upper").names().isEmpty {
                    try place.removeTree()
                } else {
                    try LostDirectory(layout).take(place, as: "snapshots", "\(row)")
                }
                try staged.rename(to: place)
            }
            if durably { try place.removingLastComponent().synchronize() }
        }
    }
}
