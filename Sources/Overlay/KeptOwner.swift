/// Whose a file or directory is, where the process that serves it may not give it to them: `uid:gid`, in decimal digits,
/// in an attribute of what belongs to that process itself. See `Upper.give`, and `FileMarks` for who believes it.
package struct KeptOwner: Sendable {
    package let uid: UInt32
    package let gid: UInt32

    package init(uid: UInt32, gid: UInt32) {
        (self.uid, self.gid) = (uid, gid)
    }

    /// nil for anything that is no such text.
    package init?(parsing bytes: [UInt8]) {
        let fields = String(decoding: bytes, as: UTF8.self).split(separator: ":").map { UInt32($0) }
        guard fields.count == 2, let uid = fields[0], let gid = fields[1] else { return nil }
        self.init(uid: uid, gid: gid)
    }

    package var text: [UInt8] { Array("\(uid):\(gid)".utf8) }
}
