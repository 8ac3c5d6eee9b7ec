import Glibc
import Linux
import SystemPackage

/// What the filesystem of an upper can do of what kernel overlayfs's format needs. A filesystem that is stacked
/// itself, such as an overlay, or that is on another machine, can't do all of it.
package struct UpperAbilities: Sendable {
    /// Whether character devices 0:0, which are whiteouts, can be made. Kernel overlayfs makes none in its mounts
    /// (EPERM, ovl_mknod in fs/overlayfs/dir.c). Without them, whiteouts are empty files with an attribute, which
    /// the kernel's overlayfs reads since Linux 6.8.
    package let hasDevices: Bool
    /// Whether RENAME_WHITEOUT works, which kernel overlayfs answers with EINVAL (ovl_rename).
    let leavesWhiteouts: Bool

    /// Whether earlier changes are on disk before later ones, whatever is synced, because one journal has all of
    /// them. Elsewhere a sync may bring half of a change: Btrfs then has the names in a synced directory, and of new
    /// files among them only that they exist, empty (LOG_INODE_EXISTS in fs/btrfs/tree-log.c).
    package let keepsOrder: Bool

    private static let names = (one: FileName("probe"), other: FileName("probe2"))

    /// Tries the filesystem's abilities out in the work directory, where it does not show. Failure where no form of
    /// the format works, because there would be errors later, in the middle of something.
    static func probe(
        _ directory: FilePath,
        _ work: borrowing OwnedFD,
        _ marks: OverlayMarks
    ) throws -> UpperAbilities {
        let type = work.filesystemType
        let keepsOrder = ordered.contains(type)
        if complete.contains(type) {
            return UpperAbilities(hasDevices: true, leavesWhiteouts: true, keepsOrder: keepsOrder)
        }
        do throws(Errno) {
            for name in [names.one, names.other] { try work.makeNode(name, mode: S_IFREG, device: 0) }
        } catch {
            clear(work)
            guard [.noSpace, .diskQuotaExceeded].contains(error) else {
                throw refusal(of: directory, "no files can be made in its work directory: \(error)")
            }
            // On a full disk it is enough to be able to delete.
            return UpperAbilities(
                hasDevices: type != overlay,
                leavesWhiteouts: type != overlay,
                keepsOrder: keepsOrder
            )
        }
        if let reason = missing(work, marks) {
            clear(work)
            throw refusal(of: directory, reason)
        }
        let leavesWhiteouts = has { () throws(Errno) in
            try work.rename(names.one, to: work, names.other, flags: Rename.whiteout)
        }
        clear(work)
        let hasDevices = has { () throws(Errno) in
            try work.makeNode(names.one, mode: S_IFCHR, device: 0)
        }
        clear(work)
        return UpperAbilities(
            hasDevices: hasDevices,
            leavesWhiteouts: leavesWhiteouts,
            keepsOrder: keepsOrder
        )
    }

    private static func has(_ body: () throws(Errno) -> Void) -> Bool {
        do throws(Errno) {
            try body()
            return true
        } catch {
            return false
        }
    }

    private static func clear(_ work: borrowing OwnedFD) {
        for name in [names.one, names.other] { try? work.unlink(name) }
    }

    /// The missing ability without which there is no upper; nil where all are there.
    private static func missing(_ work: borrowing OwnedFD, _ marks: OverlayMarks) -> String? {
        let value = [UInt8(ascii: "y")]
        do throws(Errno) {
            try work.setAttribute(marks.whiteout, of: names.one, to: value)
            guard try work.attribute(marks.whiteout, of: names.one, limit: 16) == value else {
                return "attributes \(marks.prefix)* are not kept there"
            }
        } catch {
            return "attributes \(marks.prefix)* can't be kept there: \(error)"
        }
        do throws(Errno) {
            try work.rename(names.one, to: work, names.other, flags: Rename.exchange)
        } catch {
            return "names can't be exchanged there (RENAME_EXCHANGE): \(error)"
        }
        return nil
    }

    private static func refusal(of directory: FilePath, _ reason: String) -> Failure {
        Failure(
            "\(directory) can't be an upper: \(reason)",
            advice:
                "Use a directory of an ordinary filesystem (inside a container: a volume), or where user.* attributes"
                + " are kept, -o userxattr.",
            kind: .failedPrecondition
        )
    }

    /// ext4, XFS, Btrfs, tmpfs, F2FS: they can do all of it, and trying that out would double the time of a start.
    static let complete: Set<Int64> = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0xf2f5_2010]
    static let overlay: Int64 = 0x794c_7630
    /// ext4, XFS, and tmpfs, which keeps nothing over a power cut.
    private static let ordered: Set<Int64> = [0xef53, 0x5846_5342, 0x0102_1994]
}
