import Linux
import SystemPackage

import Glibc

/// What overlayfs notes in extended attributes of an upper's files. In `trusted.overlay.`, or for a mount
/// with `userxattr` in `user.overlay.`.
struct OverlayMarks: Sendable {
    static let prefixes: [XattrName] = ["trusted.overlay.", "user.overlay."]
    /// On the root of an upper that mica began, after the prefix it uses: the other one's attributes are data.
    private static let own: XattrName = "mica.upper"
    /// On the root of an upper that has marks without which it would show something else, after their prefix; and the
    /// whiteout there which says that there was such a mark. As `UpperMarks` in the union has it.
    private static let marked: XattrName = "mica.marks"
    static let evidence = Array(".needs-extended-attributes".utf8)
    /// On what belongs to somebody to whom its maker could not give it, as `KeptOwner` has it.
    static let owner: XattrName = "mica.owner"
    /// After a prefix: an attribute of an overlay inside the overlay, which is data here.
    static let escape: XattrName = "overlay."

    enum Opaque: Sendable {
        case no
        /// Hides everything below.
        case yes
        /// Merges, but has whiteouts that are empty files with the attribute `whiteout`.
        case whiteoutFiles
    }

    /// All attributes' names, the marks among them.
    let names: [XattrName]
    private(set) var opaque = Opaque.no
    /// Where the part in the lower tree is, if not under the same name.
    private(set) var redirect: [UInt8]?
    enum Data: Sendable {
        case here
        /// The data is the lower file's.
        case below
        /// What is a hole below `limit` (bytes; at most to the end of the lower file) is the lower file's. As
        /// `PartialData` in the union writes it.
        case partial(limit: UInt64, CopyCheck)
        /// In a form that is not known.
        case unknown
    }
    private(set) var data = Data.here
    private(set) var isWhiteout = false
    /// An empty file that stands for a character device 0:0, which as itself would be a whiteout.
    private(set) var isDevice = false
    /// Whose it is, if not whose the file is.
    private(set) var owner: KeptOwner?

    /// Reads those of the file at `path`, whatever it is. `prefixes`: under which there are marks.
    ///
    /// Whose a file is stands only in an upper whose root says that mica began it without privileges, and on such a root
    /// itself (`isRoot`) before that, on what is of the user who asks, and never for root, who needs no notes: elsewhere
    /// whoever may write to a file of theirs could say that it is root's.
    init(at path: FilePath, _ prefixes: [XattrName], isRoot: Bool = false) throws(Errno) {
        names = try Xattr.names(at: path)
        for prefix in prefixes {
            for name in names {
                switch name.dropping(prefix) {
                case "opaque":
                    switch try Xattr.get(name, at: path) {
                    case [UInt8(ascii: "y")]: opaque = .yes
                    case [UInt8(ascii: "x")]: opaque = .whiteoutFiles
                    default: break
                    }
                case "redirect": redirect = try Xattr.get(name, at: path)
                case "metacopy": data = try OverlayMarks.data(at: path, prefix)
                case "whiteout": isWhiteout = true
                case "mica.device": isDevice = true
                case OverlayMarks.owner
                where prefix == "user.overlay." && geteuid() != 0 && (isRoot || prefixes.count == 1):
                    owner = KeptOwner(parsing: try Xattr.get(name, at: path) ?? [])
                default: break
                }
            }
        }
    }

    /// What the mount shows of a file that has these marks.
    func shown(_ attributes: NodeAttributes) -> NodeAttributes {
        var attributes = attributes
        if isDevice { attributes.mode = attributes.mode & 0o7777 | S_IFCHR }
        if let owner, attributes.uid == geteuid() {
            (attributes.uid, attributes.gid) = (owner.uid, owner.gid)
        }
        return attributes
    }

    private static func data(at path: FilePath, _ prefix: XattrName) throws(Errno) -> Data {
        guard let mark = try Xattr.get(prefix + "metacopy", at: path) else { return .here }
        // struct ovl_metacopy in the kernel has 4 bytes at least.
        if mark.isEmpty || mark.count >= 4 { return .below }
        let check: CopyCheck
        if mark == [UInt8(ascii: "p")] {
            check = .none
        } else if mark.count == FileBirth.size {
            check = try FileBirth.mark(at: path) == mark ? .none : .needed(prefix: prefix)
        } else {
            return .unknown
        }
        guard let limit = try Xattr.get(prefix + "mica.limit", at: path) else {
            return .partial(limit: .max, check)
        }
        guard limit.count == 8 else { return .unknown }
        return .partial(limit: limit.reversed().reduce(0) { $0 << 8 | UInt64($1) }, check)
    }

    /// Of the root of an upper.
    var saysThatThereAreMarks: Bool {
        OverlayMarks.prefixes.contains { names.contains($0 + OverlayMarks.marked) }
    }

    /// Of the root of an upper: mica began it, and it still has its attributes.
    private var saysWhoBeganIt: Bool {
        OverlayMarks.prefixes.contains { names.contains($0 + OverlayMarks.own) }
    }

    /// Of the root of an upper: whether `file` there, of the name `evidence`, says that there were marks. Where whiteouts
    /// are files it is one, and no more than an empty file if it lost its attribute with all others.
    func isEvident(by file: UpperFile) -> Bool {
        if file.isWhiteout(.whiteoutFiles) { return true }
        return !saysWhoBeganIt && file.attributes.isRegular && file.status.st_size == 0
    }

    var isDataHere: Bool { if case .here = data { true } else { false } }

    /// The name under which an attribute of the inside is kept.
    static func outer(_ name: XattrName) -> XattrName {
        for prefix in prefixes {
            if let rest = name.dropping(prefix) { return prefix + escape + rest }
        }
        return name
    }

    /// The prefixes in use in an upper: both are possible, unless its root says who made it.
    static func prefixes(inUpper root: FilePath) throws(Errno) -> [XattrName] {
        let names = try Xattr.names(at: root)
        return prefixes.first { names.contains($0 + own) }.map { [$0] } ?? prefixes
    }

    /// The name that the inside of the mount sees; nil for what it doesn't.
    func inner(_ name: XattrName, _ prefixes: [XattrName]) -> XattrName? {
        if isDevice, prefixes.contains(where: { name == $0 + OverlayMarks.escape + "whiteout" }) {
            return nil
        }
        for prefix in prefixes {
            guard let rest = name.dropping(prefix) else { continue }
            return rest.dropping(OverlayMarks.escape).map { prefix + $0 }
        }
        return name
    }
}
