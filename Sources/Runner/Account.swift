package import Linux
import SystemPackage

import Glibc

/// The user that a program runs as.
package struct Account: Sendable, Equatable {
    package var uid: UInt32
    package var gid: UInt32
    /// Supplementary groups, without `gid`.
    package var groups: [UInt32]
    package var home: String

    /// The limit of setgroups(2).
    private static let mostGroups = 65536

    package init(uid: UInt32, gid: UInt32, groups: [UInt32] = [], home: String = "/") {
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.home = home
    }

    /// Looks `user` ("user", "uid", "user:group", "uid:gid", either part may be a name or a number) up in
    /// /etc/passwd and /etc/group below `root`, never outside. Docker's rules: digits are a number, even if an entry
    /// has such a name, and need no entry; an explicit group replaces the supplementary ones.
    package init(of user: String, root: borrowing OwnedFD) throws {
        let parts = user.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init
        )
        let name = parts.first ?? ""
        let wanted = try Wanted(name.isEmpty ? "0" : name, "user")
        let entry = try Account.passwd(wanted, root)
        if let entry {
            self.init(uid: entry.uid, gid: entry.gid, home: entry.home)
        } else if case .number(let uid) = wanted {
            self.init(uid: uid, gid: 0)
        } else {
            throw wanted.failure("user", "/etc/passwd")
        }

        if parts.count == 2, !parts[1].isEmpty {
            gid = try Account.group(try Wanted(parts[1], "group"), root)
        } else if let entry {
            groups = try Account.groups(listing: entry.name, root).filter { $0 != gid }
        }
    }

    /// The key by which a user or a group is looked up.
    private enum Wanted {
        case number(UInt32)
        case name([UInt8])

        init(_ text: String, _ kind: String) throws {
            let bytes = Array(text.utf8)
            guard bytes.allSatisfy({ (0x30...0x39).contains($0) }) else {
                self = .name(bytes)
                return
            }
            guard let number = AccountFile.number(bytes) else {
                throw Failure(
                    "\(kind) \(text) is beyond all numbers of \(kind)s",
                    advice: "Expected 0 to \(Int32.max), or a name.",
                    exitCode: 126
                )
            }
            self = .number(number)
        }

        func matches(name: AccountFile.Field, id: UInt32?) -> Bool {
            switch self {
            case .number(let number): id == number
            case .name(let bytes): name.equals(bytes)
            }
        }

        func failure(_ kind: String, _ file: String) -> Failure {
            let name =
                switch self {
                case .number(let number): "\(number)"
                case .name(let bytes): String(decoding: bytes, as: UTF8.self)
                }
            return Failure(
                "no \(kind) \(name) in the container's \(file)",
                advice: "Use a name that is there, or a number.",
                exitCode: 126
            )
        }
    }

    private struct Entry {
        var name: [UInt8]
        var uid: UInt32
        var gid: UInt32
        var home: String
    }

    /// The first entry that matches.
    private static func passwd(_ wanted: Wanted, _ root: borrowing OwnedFD) throws -> Entry? {
        var found: Entry?
        try AccountFile.forEachLine(of: "/etc/passwd", root: root, passingOverLongLines: true) { line in
            guard let name = line.field(0), let uid = line.field(2)?.id, wanted.matches(name: name, id: uid),
                let gid = line.field(3)?.id
            else { return true }
            let home = line.field(5).map { String(decoding: $0.text, as: UTF8.self) } ?? ""
            found = Entry(name: name.text, uid: uid, gid: gid, home: home.isEmpty ? "/" : home)
            return false
        }
        return found
    }

    private static func group(_ wanted: Wanted, _ root: borrowing OwnedFD) throws -> UInt32 {
        // A number needs no entry in the file.
        if case .number(let gid) = wanted { return gid }
        var found: UInt32?
        try AccountFile.forEachLine(of: "/etc/group", root: root) { line in
            guard let name = line.field(0), wanted.matches(name: name, id: nil), let gid = line.field(2)?.id
            else { return true }
            found = gid
            return false
        }
        guard let found else { throw wanted.failure("group", "/etc/group") }
        return found
    }

    private static func groups(listing user: [UInt8], _ root: borrowing OwnedFD) throws -> [UInt32] {
        var found: [UInt32] = []
        var known: Set<UInt32> = []
        try AccountFile.forEachLine(of: "/etc/group", root: root) { line in
            guard let members = line.field(3), members.lists(user), let gid = line.field(2)?.id,
                known.insert(gid).inserted
            else { return true }
            found.append(gid)
            guard found.count < mostGroups else {
                throw Failure("a user of the container is in more than \(mostGroups - 1) of its groups")
            }
            return true
        }
        return found
    }
}
