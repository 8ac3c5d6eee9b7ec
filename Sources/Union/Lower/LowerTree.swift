package import Glibc
package import Linux
package import Nodes
package import Overlay
import SystemPackage

/// The read-only tree below an upper, merged from its layers: the interface between the union and the forms that
/// lowers come in.
///
/// Numbers name inodes: 0 is the root, and a number means the same for as long as the tree is open. Methods throw
/// FSError for contents that are damaged or can't be read; a number that the tree never gave is a programming error
/// of the caller, except in `has`.
package protocol LowerTree: AnyObject, Sendable {
    /// Whether `number` is an inode of this tree.
    func has(_ number: UInt32) -> Bool

    func inode(_ number: UInt32) throws(FSError) -> LowerInode

    /// Whether `inode` and `names` answer without reading anything first.
    func isReady(_ number: UInt32) -> Bool

    /// When an inode was created, as statx(2) has it; nil where that is unknown.
    func birth(of number: UInt32) throws(FSError) -> Attributes.Time?

    /// Whether an inode has the immutable flag.
    func isImmutable(_ number: UInt32) throws(FSError) -> Bool

    /// Opens a regular file or a directory for reading, for this call alone; nil where the tree has no inode flags.
    func openForFlags(_ number: UInt32) throws(FSError) -> OpenFile?

    /// The st_ino of an inode: unique in the tree, the same at every mount, below 2^32 or at least 2^48.
    func ino(_ number: UInt32) -> UInt64

    /// The mark that says in an upper which lower file was copied up; the same at every mount. At most 16 bytes.
    func mark(of number: UInt32) throws(FSError) -> [UInt8]
    /// The inode that has this mark; nil where there is none.
    func number(marked mark: [UInt8]) throws(FSError) -> UInt32?

    /// The inode of a file handle of the kernel's overlayfs; nil where there is none, and for lowers that overlayfs
    /// can't mount.
    func number(of handle: KernelHandle) throws(FSError) -> UInt32?

    /// The inode that `name` leads to in a directory; nil where there is no such name.
    func lookup(_ name: UnsafeRawBufferPointer, in directory: UInt32) throws(FSError) -> UInt32?

    /// Passes the names in a directory, from `position` on, until `body` returns false. A name has the same position
    /// every time; the first is 0. False when `body` returned false.
    func forEachEntry(
        of directory: UInt32,
        from position: UInt64,
        _ body: (LowerEntry) throws(FSError) -> Bool
    ) throws(FSError) -> Bool

    /// Makes all entries of a directory ready, in the sense of `isReady`.
    func prepareEntries(of directory: UInt32) throws(FSError)

    /// All names of a file, or the one name of a directory; none for the root.
    func names(of number: UInt32) throws(FSError) -> [LowerLink]

    /// Passes extended attributes until `body` returns false.
    func forEachXattr(
        of number: UInt32,
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(FSError) -> Bool
    ) throws(FSError)

    /// The target of a symbolic link.
    func target(of number: UInt32) throws(FSError) -> [UInt8]

    /// pread(2) of a regular file: fills `buffer` from byte `offset` as far as the file goes.
    func read(
        _ number: UInt32,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int

    /// The open file that has a regular file's contents.
    func locate(_ number: UInt32) throws(FSError) -> LowerContents

    /// The filesystem that the tree is on.
    func statistics() throws(FSError) -> statvfs
}

/// What stat(2) says of an inode of a lower.
package struct LowerInode: Sendable {
    package var mode: UInt32
    /// The number of a file's names in the lower; of a directory, 2 and one for each subdirectory.
    package var nlink: UInt32
    package var uid: UInt32
    package var gid: UInt32
    /// The kernel's 32-bit encoding.
    package var rdev: UInt32
    /// In bytes.
    package var size: UInt64
    /// In units of 512 bytes.
    package var blocks: UInt64
    package var atime: Attributes.Time
    package var mtime: Attributes.Time
    package var ctime: Attributes.Time
    /// The directory that a directory is in; the root's is the root.
    package var parent: UInt32

    package var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
    package var isRegular: Bool { mode & S_IFMT == S_IFREG }
    package var isSymlink: Bool { mode & S_IFMT == S_IFLNK }
}

/// A name in a directory of a lower.
package struct LowerEntry {
    /// Valid only during the call that it is passed to.
    package let name: UnsafeRawBufferPointer
    package let inode: UInt32
    /// DT_*.
    package let kind: UInt8
    /// The position behind this entry, to go on from.
    package let next: UInt64
}

/// A name of an inode of a lower: the directory it is in, and the name.
package struct LowerLink: Sendable {
    package let directory: UInt32
    package let name: [UInt8]
}

/// Where a file's contents are.
package struct LowerContents {
    package let file: OpenFile
    /// The offset of the contents' first byte in `file`.
    package let start: UInt64
    /// `file` has nothing but this file's contents, so that blocks may be shared and holes looked for.
    package let isWhole: Bool
}

extension LowerTree {
    package func birth(of number: UInt32) throws(FSError) -> Attributes.Time? { nil }
    package func isImmutable(_ number: UInt32) throws(FSError) -> Bool { false }
    package func openForFlags(_ number: UInt32) throws(FSError) -> OpenFile? { nil }
    package func number(of handle: KernelHandle) throws(FSError) -> UInt32? { nil }
    package func isReady(_ number: UInt32) -> Bool { true }
    package func prepareEntries(of directory: UInt32) throws(FSError) {}

    func isEmpty(_ directory: UInt32) throws(FSError) -> Bool {
        try forEachEntry(of: directory, from: 0) { (_) throws(FSError) in false }
    }

    /// XATTR_SIZE_MAX.
    private static var longestRedirect: Int { 65536 }

    /// The absolute path of a directory, or one path of a file, as a redirect records it: `/` for the root, no `/`
    /// at the end. EXDEV if it is longer than an attribute can be.
    func path(of directory: UInt32) throws(FSError) -> [UInt8] {
        var components: [[UInt8]] = []
        var (number, length) = (directory, 0)
        while number != 0 {
            guard let link = try names(of: number).first else { throw .corruptIndex(offset: UInt64(number)) }
            length += link.name.count + 1
            // A loop of parents in a damaged index ends here as well.
            guard length <= Self.longestRedirect else { throw .system(.improperLink) }
            components.append(link.name)
            number = link.directory
        }
        guard !components.isEmpty else { return [UInt8(ascii: "/")] }
        return components.reversed().flatMap { [UInt8(ascii: "/")] + $0 }
    }

    /// The inode at an absolute path; nil where there is none. Symbolic links are not followed.
    func number(at path: [UInt8]) throws(FSError) -> UInt32? {
        var number: UInt32 = 0
        for component in path.split(separator: UInt8(ascii: "/")) {
            let found = try component.span.withUnsafeBytes {
                (name: UnsafeRawBufferPointer) throws(FSError) -> UInt32? in
                guard try inode(number).isDirectory else { return nil }
                return try lookup(name, in: number)
            }
            guard let found else { return nil }
            number = found
        }
        return number
    }
}
