package import Linux
package import SystemPackage

import CLinux
import Glibc
import Synchronization

/// The writable directory and its work directory, in the format of the kernel's overlayfs. It makes system calls;
/// the union decides what they mean.
///
/// ```
/// work/orphans/<number>  unlinked, but still open: gone when the kernel forgets it
/// work/links/<mark>      a copied-up file whose several names are not all in place yet
/// work/<number>          whatever is about to be renamed into the upper, or a directory of it: see `withStage`
/// work/whiteout          what whiteouts are links to
/// work/work/…            see `VolatileMark`
/// ```
package final class Upper: Sendable {
    package let root: OwnedFD
    /// Locked: a second union over the same directories would make changes that the first does not know of.
    package let work: OwnedFD
    package let orphans: OpenFile
    package let links: OwnedFD
    package let marks: OverlayMarks
    /// Whether the marks are in `user.*`, which only regular files and directories can have.
    let isUser: Bool
    /// Whether syncs are left out.
    package let isVolatile: Bool
    /// Whether a change of a file's attributes copies no data.
    package let copiesMetadataOnly: Bool
    /// There was no room for the directories in the work directory, which stands for them itself, so that files can
    /// be deleted. Operations that need work/links fail for want of room until the next mount.
    package let isCramped: Bool
    /// What the filesystem can do of what the format needs.
    package let abilities: UpperAbilities
    /// Whether directories of the lower may be renamed.
    package let makesRedirects: Bool
    /// Whether reading a file leaves its access time alone.
    package let keepsAccessTimes: Bool
    /// The same for directories.
    package let keepsDirectoryTimes: Bool
    /// Whether a file that can't be given to its owner belongs to this process, with the owner stored.
    package let keepsOwners: Bool
    /// Whether another overlay began it, so that `.wh.` files in it are whiteouts.
    package let isForeign: Bool
    /// Whether another overlay wrote to it since, so that the root may not say that there are redirects.
    package let mayHaveRedirects: Bool
    /// /proc/self/fd, once it was needed (by the serving process), or nil where it is not to be used.
    private let descriptors = Mutex<OpenFile??>(nil)
    private let volatileMark: VolatileMark
    /// Whether an inode's number and birth are the same at the next mount.
    let keepsInodes: Bool
    /// Whether the root says that there are marks: see `RootMarks`.
    package var hasNotedMarks: Bool {
        get { notedMarks.load(ordering: .relaxed) }
        set { notedMarks.store(newValue, ordering: .relaxed) }
    }
    private let notedMarks = Atomic(false)
    let holes = HoleProbe()
    private let counter = Atomic<UInt64>(0)
    /// The file in the work directory that whiteouts are links to.
    static let whiteout = FileName("whiteout")
    let hasWhiteout = Mutex(false)
    /// Guarded by the union's lock of names.
    let stage = Mutex<Stage?>(nil)

    /// Opens both directories and removes what a crash left in the work directory. Both must be on one filesystem.
    ///
    /// - Parameters:
    ///   - userxattr: keep notes in `user.overlay.`, as without CAP_SYS_ADMIN in the first user namespace.
    ///   - isVolatile: never sync; an upper that was not closed by `UnionTree.close` is refused afterwards.
    ///   - metacopy: chmod and the like leave a file's data in the lower. Files that were left so are read
    ///     in any case.
    ///   - redirects: whether a directory of the lower may be renamed. Those that were are found in any case.
    ///   - keepsAccessTimes: read with O_NOATIME.
    ///   - keepsDirectoryTimes: directories at least.
    ///   - keepsOwners: note whose a file is where it can't be given to them, instead of refusing to copy it up.
    ///   - mayWait: asked as long as another process has the work directory locked: whether to try once more.
    package init(
        _ directory: FilePath,
        work workPath: FilePath,
        userxattr: Bool = false,
        volatile isVolatile: Bool = false,
        metacopy: Bool = false,
        redirects: Bool = true,
        keepsAccessTimes: Bool = false,
        keepsDirectoryTimes: Bool = false,
        keepsOwners: Bool = false,
        mayWait: () -> Bool = { false }
    ) throws {
        isUser = userxattr
        self.isVolatile = isVolatile
        copiesMetadataOnly = metacopy
        makesRedirects = redirects
        self.keepsAccessTimes = keepsAccessTimes
        self.keepsDirectoryTimes = keepsAccessTimes || keepsDirectoryTimes
        marks = userxattr ? .user : .trusted
        let quiet = keepsAccessTimes ? QuietMount(of: [directory, workPath]) : nil
        root = try naming("open the upper \(directory)") {
            try Upper.open(directory, O_PATH | O_DIRECTORY, quiet)
        }
        work = try naming("open the work directory \(workPath)") {
            try Upper.open(workPath, O_RDONLY | O_DIRECTORY, quiet)
        }
        while try !WorkDirectory.lock(work) {
            guard mayWait() else {
                throw Failure(
                    "\(directory) is mounted already, or being committed: its work directory \(workPath) is in use"
                )
            }
        }
        // Another process may have removed the directory while it had the lock, as a commit does.
        let (locked, named) = (try work.status(), try? workPath.followedStatus())
        guard let named, named.st_dev == locked.st_dev, named.st_ino == locked.st_ino else {
            throw Failure("\(directory) is gone: it was committed or removed meanwhile")
        }
        let both = (try root.status().st_dev, try work.status().st_dev)
        guard both.0 == both.1 else {
            throw Failure("\(workPath) is on another filesystem than \(directory)")
        }
        volatileMark = VolatileMark(work: workPath)
        try volatileMark.refuse(directory)
        // The kernel's overlayfs leaves this directory behind.
        let wasElsewhere = workPath.appending("work").exists
        var orphansPath = workPath.appending("orphans")
        var linksPath = workPath.appending("links")
        var isCramped = false
        try naming("prepare \(workPath)") {
            // `recover` needs these two.
            let kept = ["links", "index"].map { Array($0.utf8) }
            for name in try workPath.names() where !kept.contains(name) {
                try OwnedFD.open(workPath, O_RDONLY | O_DIRECTORY).removeTree(name)
            }
            do {
                try orphansPath.makeDirectory(mode: 0o700)
                try linksPath.makeDirectory(mode: 0o700)
            } catch Errno.noSpace, Errno.diskQuotaExceeded {
                (orphansPath, linksPath, isCramped) = (workPath, workPath, true)
            }
        }
        self.isCramped = isCramped
        abilities = try UpperAbilities.probe(directory, work, marks)
        orphans = OpenFile(
            try naming("open \(orphansPath)") { try Upper.open(orphansPath, O_PATH | O_DIRECTORY, quiet) }
        )
        links = try naming("open \(linksPath)") { try Upper.open(linksPath, O_PATH | O_DIRECTORY, quiet) }
        // The complete filesystems are on a disk; an overlay's upper is on one.
        keepsInodes = UpperAbilities.complete.union([UpperAbilities.overlay]).contains(root.filesystemType)
        let isOurs = try Upper.claim(root, directory, marks, other: userxattr ? .trusted : .user)
        isForeign = !isOurs
        self.keepsOwners = keepsOwners && isOurs
        mayHaveRedirects = wasElsewhere || !isOurs
        if isVolatile { try naming("prepare \(workPath)") { try volatileMark.set() } }
    }

    private static func open(
        _ directory: FilePath,
        _ flags: CInt,
        _ quiet: QuietMount?
    ) throws(Errno) -> OwnedFD {
        guard let quiet else { return try OwnedFD.open(directory, flags) }
        return try quiet.open(directory, flags)
    }

    /// The directory through which a deleted file that is open with O_PATH is opened for its data. That is rarely
    /// needed, and opening with O_PATH takes half as long.
    ///
    /// Nil where a file must be opened fully before it is deleted: on a filesystem that may lose it otherwise,
    /// because it does not hear of O_PATH (FUSE, 9p), and for a process that the file's mode may lock out.
    private func placesOfDescriptors() -> OpenFile? {
        descriptors.withLock { known in
            if let known { return known }
            var opened: OpenFile?
            if UpperAbilities.complete.contains(root.filesystemType), Privileges.canOverrideModes,
                let found = try? OwnedFD.open("/proc/self/fd", O_PATH | O_DIRECTORY)
            {
                opened = OpenFile(found)
            }
            known = .some(opened)
            return opened
        }
    }

    /// Whether `reopen` takes a file that is open with O_PATH.
    package var canReopen: Bool { placesOfDescriptors() != nil }

    /// Opens a regular file that has no name any more once more, for reading and writing.
    package func reopen(_ file: OpenFile) throws(Errno) -> OwnedFD {
        let isPlace = try Errno.check(file.fd.use { fcntl($0, F_GETFL) }) & O_PATH != 0
        guard isPlace, let descriptors = placesOfDescriptors() else { return try file.fd.duplicate() }
        // The caller keeps it open until this returns.
        return try descriptors.fd.open(FilePath("\(file.fd.raw)"), O_RDWR)
    }

    /// Whether mica began this upper: it has mica's mark, or is empty and gets it.
    private static func claim(
        _ root: borrowing OwnedFD,
        _ directory: FilePath,
        _ marks: OverlayMarks,
        other: OverlayMarks
    ) throws -> Bool {
        let names = try root.attributes(of: .dot)
        if names.contains(marks.own) { return true }
        let isEmpty = try naming("read \(directory)") { try directory.names().isEmpty }
        if names.contains(other.own), !isEmpty {
            let isUser = other === OverlayMarks.user
            throw Failure(
                "\(directory) was begun with marks in \(other.prefix)*, which this mount would not see",
                advice: isUser
                    ? "Mount it without privileges, as it was, or with -o userxattr."
                    : "Mount it with privileges and without -o userxattr."
            )
        }
        do throws(Errno) {
            guard isEmpty else { return false }
            try root.setAttribute(marks.own, of: .dot, to: [UInt8(ascii: "y")])
            return true
        } catch {
            // Without attributes an upper still works until an operation needs one.
            if error == .notSupported { return false }
            throw Failure("note in \(directory) whose it is", error)
        }
    }

    // MARK: - What the root says

    /// Records that there are marks. The union makes the whiteout that says so as well.
    package func noteMarks() throws(Errno) {
        try root.setAttribute(marks.hasMarks, of: .dot, to: [UInt8(ascii: "y")])
    }

    /// Records that some directory has a redirect.
    package func noteRedirects() throws(Errno) {
        try root.setAttribute(marks.hasRedirects, of: .dot, to: [UInt8(ascii: "y")])
    }

    package func hasNotedRedirects() throws(Errno) -> Bool {
        try root.attribute(marks.hasRedirects, of: .dot) != nil
    }

    /// Whether a directory hides what is below, in any form that this upper may have.
    package func isOpaque(_ name: FileName, in directory: borrowing OwnedFD) throws(Errno) -> Bool {
        if try marks.opaque(name, in: directory) == .yes { return true }
        return isForeign ? try isOpaqueElsewhere(name, in: directory) : false
    }

    /// Throws where the marks are gone, or have a prefix that this mount does not see. `isNameBelow`: whether the
    /// lower has a file of the evidence's name.
    package func refuseWithoutMarks(unless isNameBelow: () throws -> Bool) throws {
        let known = try RootMarks(root, [marks])
        hasNotedMarks = known.areNoted && known.areEvident
        guard known.areLost, try !isNameBelow() else { return }
        throw Failure(
            "the upper does not have the extended attributes that it had: its root has the whiteout"
                + " \(String(decoding: RootMarks.evidence.bytes, as: UTF8.self)), but no \(marks.hasMarks)",
            advice: RootMarks.advice + " If not, mount it with the privileges that it was begun with."
        )
    }

    /// Called when the mount ended cleanly.
    package func close() {
        if hasWhiteout.withLock({ $0 }) { try? work.unlink(Upper.whiteout) }
        removeStage()
        if isVolatile { volatileMark.remove() }
    }

    /// An unused name in the work directory.
    package func temporaryName() -> FileName {
        FileName("\(counter.wrappingAdd(1, ordering: .relaxed).newValue)")
    }

    package static let capability: XattrName = "security.capability"

    /// Whether writing to a file would drop its set-id bits: the kernel keeps them only for CAP_FSETID in the
    /// initial user namespace.
    package func losesSetID(_ mode: UInt32) -> Bool { isUser && mode & (S_ISUID | S_ISGID) != 0 }

    /// Whether a file of this type can have the union's marks.
    package func canMark(_ mode: UInt32) -> Bool {
        !isUser || mode & S_IFMT == S_IFREG || mode & S_IFMT == S_IFDIR
    }

    /// Sets an attribute of a copy in the work directory (`set`), unless it is one that such a copy can't have and
    /// that the kernel's overlayfs does without, too.
    package func copyAttribute(_ name: XattrName, mode: UInt32, _ set: () throws(Errno) -> Void) throws(Errno)
    {
        do throws(Errno) {
            try set()
        } catch {
            switch error {
            case .notPermitted
            where name.hasPrefix("user.") && mode & S_IFMT != S_IFREG && mode & S_IFMT != S_IFDIR:
                return
            // Not even root of a user namespace can see these.
            case .notPermitted where isUser && name.hasPrefix("trusted."): return
            case .notSupported where !name.hasPrefix("security.") && !name.hasPrefix("system.posix_acl_"):
                return
            default: throw error
            }
        }
    }
}
