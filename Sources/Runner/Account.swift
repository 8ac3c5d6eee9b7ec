package import Linux
import SystemPackage

import Glibc

/// Who a program runs as.
package struct Account: Sendable, Equatable {
    package var uid: UInt32
    package var gid: UInt32
    /// Supplementary groups, without `gid`.
    package var groups: [UInt32]
    package var home: String

    package init(uid: UInt32, gid: UInt32, groups: [UInt32] = [], home: String = "/") {
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.home = home
    }

    /// Looks `user` ("user", "uid", "user:group", "uid:gid", either part may be a name or a number) up in
    /// /etc/passwd and /etc/group below `root`, never outside. Docker's rules: a number needs no entry; a
    /// group that is named alone replaces the supplementary ones.
    package init(of user: String, root: borrowing OwnedFD) throws {
        let passwd = try AccountFile.lines(of: "/etc/passwd", root: root)
        let parts = user.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init
        )
        let name = parts.first ?? ""
        let wanted = name.isEmpty ? "0" : name

        let entry = passwd.first { $0.count >= 4 && ($0[0] == wanted || $0[2] == wanted) }
        if let entry, let uid = AccountFile.number(entry[2]), let gid = AccountFile.number(entry[3]) {
            self.init(uid: uid, gid: gid, home: entry.count > 5 && !entry[5].isEmpty ? entry[5] : "/")
        } else if let uid = AccountFile.number(wanted) {
            self.init(uid: uid, gid: 0)
        } else {
            throw Failure(
                "no user \(name) in the container's /etc/passwd",
                advice: "Use a name that is there, or a number.",
                exitCode: 126
            )
        }

        let groups = try AccountFile.lines(of: "/etc/group", root: root)
        if parts.count == 2, !parts[1].isEmpty {
            gid = try Account.group(parts[1], in: groups)
        } else if let entry {
            self.groups = Account.groups(listing: entry[0], in: groups).filter { $0 != gid }
        }
    }

    private static func group(_ wanted: String, in groups: [[String]]) throws -> UInt32 {
        let entry = groups.first { $0.count >= 3 && ($0[0] == wanted || $0[2] == wanted) }
        if let entry, let gid = AccountFile.number(entry[2]) { return gid }
        if let gid = AccountFile.number(wanted) { return gid }
        throw Failure(
            "no group \(wanted) in the container's /etc/group",
            advice: "Use a name that is there, or a number.",
            exitCode: 126
        )
    }

    private static func groups(listing user: String, in groups: [[String]]) -> [UInt32] {
        var found: [UInt32] = []
        for entry in groups where entry.count >= 4 && entry[3].split(separator: ",").contains(Substring(user))
        {
            if let gid = AccountFile.number(entry[2]), !found.contains(gid) { found.append(gid) }
        }
        return found
    }
}
