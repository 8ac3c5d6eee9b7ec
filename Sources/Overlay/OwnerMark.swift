/// The owner of a file or directory that the serving process may not give to them: `uid:gid`, in decimal digits, in
/// an attribute of a file that belongs to that process. See `Upper.give`, and `FileMarks` for when it is believed.
package struct OwnerMark: Sendable {
    package let uid: UInt32
    package let gid: UInt32

    package init(uid: UInt32, gid: UInt32) {
        (self.uid, self.gid) = (uid, gid)
    }

    /// nil for any other text.
    package init?(parsing bytes: [UInt8]) {
        let fields = String(decoding: bytes, as: UTF8.self).split(separator: ":").map { UInt32($0) }
        guard fields.count == 2, let uid = fields[0], let gid = fields[1] else { return nil }
        self.init(uid: uid, gid: gid)
    }

    package var text: [UInt8] { Array("\(uid):\(gid)".utf8) }
}
