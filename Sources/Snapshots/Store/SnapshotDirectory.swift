import Changes
import Layers
import Linux
import OCI
import Overlay
import SystemPackage

import Glibc

/// The directory of an active snapshot: `upper` (the kernel overlayfs format) and `work`.
enum SnapshotDirectory {
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
            if !layers.isEmpty {
                try RootDirectory(of: layers, layout).copy(to: staged.appending("upper"))
            }
            if durably { try staged.synchronize() }
            return staged
        } catch {
            try? staged.removeTree()
            throw error
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
    /// under that number is left over from a transaction that was never committed, and has not been written to. What
    /// has been written to is a snapshot that the database has forgotten: that is set apart.
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
