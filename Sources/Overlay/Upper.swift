package import Linux
package import SystemPackage

import CLinux
import Glibc
import Synchronization

/// The writable directory and its work directory, in the format of the kernel's overlayfs. System calls only;
/// what they mean is decided by the union.
///
/// ```
/// work/orphans/<number>  unlinked, but still open: gone when the kernel forgets it
/// work/links/<mark>      a copied-up file whose several names are not all in place yet
/// work/<number>          whatever is about to be renamed into the upper
/// work/whiteout          what whiteouts are links to
/// work/work/…            see `VolatileMark`
/// ```
package final class Upper: Sendable {
    package let root: OwnedFD
    /// Locked: a second union over the same directories would be news to the first.
    package let work: OwnedFD
    package let orphans: OpenFile
    package let links: OwnedFD
    package let marks: OverlayMarks
    /// The notes are in `user.*`, which only regular files and directories can have.
    let isUser: Bool
    /// Nothing is synced.
    package let isVolatile: Bool
    /// A change of a file's attributes copies no data.
    package let copiesMetadataOnly: Bool
    /// There was no room for the work directory's own directories: it stands for them, so that something can be deleted.
    /// What needs work/links has no room either, until the next mount.
    package let isCramped: Bool
    /// What the filesystem does of what the format needs.
    package let abilities: UpperAbilities
    /// Directories of the lower can be renamed.
    package let makesRedirects: Bool
    /// Reading does not change when a file was read.
    package let keepsAccessTimes: Bool
    /// Nor does reading a directory.
    package let keepsDirectoryTimes: Bool
    /// What can't be given to whom it belongs is this process's, with a note whose it is.
    package let keepsOwners: Bool
    /// It was begun by another overlay, so that `.wh.` files in it are whiteouts.
    package let isForeign: Bool
    /// Another overlay wrote to it since: its redirects are not noted on the root.
    package let mayHaveRedirects: Bool
    /// /proc/self/fd, once somebody needed it (by then this process is the one that serves), or that it is not to be used.
    private let descriptors = Mutex<OpenFile??>(nil)
    private let volatileMark: VolatileMark
    /// An inode's number and birth are the same at the next mount.
    let keepsInodes: Bool
    /// The root says that there are marks: see `RootMarks`.
    package var hasNotedMarks: Bool {
        get { notedMarks.load(ordering: .relaxed) }
        set { notedMarks.store(newValue, ordering: .relaxed) }
    }
    private let notedMarks = Atomic(false)
    let holes = HoleProbe()
    private let counter = Atomic<UInt64>(0)
    /// In the work directory: what whiteouts are links to, if it is there.
    static let whiteout = FileName("whiteout")
    let hasWhiteout = Mutex(false)

    /// Opens both directories and empties the work directory of what a crash left. Both must be on one filesystem.
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
        self.keepsOwners = keepsOwners
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
        // Whoever had it locked may have taken it away, as a commit does.
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
        // Besides those on a disk an overlay, whose upper is on one.
        keepsInodes = UpperAbilities.complete.union([UpperAbilities.overlay]).contains(root.filesystemType)
        let isOurs = try Upper.claim(root, directory, marks, other: userxattr ? .trusted : .user)
        isForeign = !isOurs
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

    /// From where a deleted file that is open as a place only (O_PATH) is opened for its data. That may never be asked for,
    /// and a place is had in half the time.
    ///
    /// Nil where a file must be open before it is deleted: on a filesystem that may lose it otherwise, since it is not told of
    /// places (FUSE, 9p), and for a process that the file's mode could keep out by then.
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

    /// Whether `reopen` takes what is open as a place only.
    package var canReopen: Bool { placesOfDescriptors() != nil }

    /// A regular file that has no name any more once more, for reading and writing.
    package func reopen(_ file: OpenFile) throws(Errno) -> OwnedFD {
        let isPlace = try Errno.check(file.fd.use { fcntl($0, F_GETFL) }) & O_PATH != 0
        guard isPlace, let descriptors = placesOfDescriptors() else { return try file.fd.duplicate() }
        // The caller has it until this returns.
        return try descriptors.fd.open(FilePath("\(file.fd.raw)"), O_RDWR)
    }

    /// Whether nobody else began this upper: it has our mark, or is empty and gets it.
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
            // Without attributes an upper still works, until something needs one.
            if error == .notSupported { return false }
            throw Failure("note in \(directory) whose it is", error)
        }
    }

    // MARK: - What the root says

    /// That there are marks: the whiteout that says it as well is a name, and so the union's to make.
    package func noteMarks() throws(Errno) {
        try root.setAttribute(marks.hasMarks, of: .dot, to: [UInt8(ascii: "y")])
    }

    /// That some directory has a redirect.
    package func noteRedirects() throws(Errno) {
        try root.setAttribute(marks.hasRedirects, of: .dot, to: [UInt8(ascii: "y")])
    }

    package func hasNotedRedirects() throws(Errno) -> Bool {
        try root.attribute(marks.hasRedirects, of: .dot) != nil
    }

    /// Whether a directory hides what is below, in whatever form this upper may have.
    package func isOpaque(_ name: FileName, in directory: borrowing OwnedFD) throws(Errno) -> Bool {
        if try marks.opaque(name, in: directory) == .yes { return true }
        return isForeign ? try isOpaqueElsewhere(name, in: directory) : false
    }

    /// Throws where its marks are gone, or are of a form that this mount does not see. `isNameBelow`: what says so is a
    /// name in the lower.
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

    /// The mount ended cleanly.
    package func close() {
        if hasWhiteout.withLock({ $0 }) { try? work.unlink(Upper.whiteout) }
        if isVolatile { volatileMark.remove() }
    }

    /// A name in the work directory that nothing has.
    package func temporaryName() -> FileName {
        FileName("\(counter.wrappingAdd(1, ordering: .relaxed).newValue)")
    }

    package static let capability: XattrName = "security.capability"

    /// Whether writing to a file would drop its set-id bits: the kernel keeps them for CAP_FSETID in the first
    /// user namespace only.
    package func losesSetID(_ mode: UInt32) -> Bool { isUser && mode & (S_ISUID | S_ISGID) != 0 }

    /// Whether a file of this type can have the notes of the union.
    package func canMark(_ mode: UInt32) -> Bool {
        !isUser || mode & S_IFMT == S_IFREG || mode & S_IFMT == S_IFDIR
    }

    /// Gives a copy in the work directory an attribute (`set`), unless it is one that such a copy cannot have and
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
            // Not even root of a user namespace sees these.
            case .notPermitted where isUser && name.hasPrefix("trusted."): return
            case .notSupported where !name.hasPrefix("security.") && !name.hasPrefix("system.posix_acl_"):
                return
            default: throw error
            }
        }
    }
}
