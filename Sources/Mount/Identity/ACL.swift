import Linux

/// POSIX ACLs as attributes: a version (u32), then entries of tag (u16), permissions (u16) and ID (u32), all
/// little-endian (`include/uapi/linux/posix_acl_xattr.h`).
enum ACL {
    static let names: [XattrName] = ["system.posix_acl_access", "system.posix_acl_default"]
    private static let user: UInt16 = 0x02
    private static let group: UInt16 = 0x08

    /// `value` with the ID of every user and group replaced by `translate`; nil where that is nil, or `value` is no
    /// such list.
    static func translated(
        _ value: [UInt8],
        _ translate: (_ id: UInt32, _ isGroup: Bool) -> UInt32?
    ) -> [UInt8]? {
        guard value.count >= 4, (value.count - 4).isMultiple(of: 8) else { return nil }
        var value = value
        for entry in stride(from: 4, to: value.count, by: 8) {
            let tag = UInt16(value[entry]) | UInt16(value[entry + 1]) << 8
            guard tag == user || tag == group else { continue }
            guard let id = translate(value.littleEndian(at: entry + 4), tag == group) else { return nil }
            value.setLittleEndian(id, at: entry + 4)
        }
        return value
    }
}

/// A file's capabilities as an attribute: version and flags, two pairs of masks, and since version 3 the user who is
/// root where they count (`struct vfs_ns_cap_data`), all u32, little-endian. Version 2 means user 0.
enum FileCapability {
    static let name: XattrName = "security.capability"
    private static let versionMask: UInt32 = 0xff00_0000
    private static let version2: UInt32 = 0x0200_0000
    private static let version3: UInt32 = 0x0300_0000
    private static let rootOffset = 20

    /// `value` with translated IDs; nil where root's ID has no translation. Other versions are returned unchanged.
    static func translated(_ value: [UInt8], _ translate: (UInt32) -> UInt32?) -> [UInt8]? {
        guard value.count >= rootOffset else { return value }
        let magic = value.littleEndian(at: 0)
        let root: UInt32
        switch (magic & versionMask, value.count) {
        case (version2, rootOffset): root = 0
        case (version3, rootOffset + 4): root = value.littleEndian(at: rootOffset)
        default: return value
        }
        guard let translated = translate(root) else { return nil }
        var result = Array(value.prefix(rootOffset))
        let flags = magic & ~versionMask
        result.setLittleEndian(flags | (translated == 0 ? version2 : version3), at: 0)
        if translated != 0 {
            result += [0, 0, 0, 0]
            result.setLittleEndian(translated, at: rootOffset)
        }
        return result
    }
}

extension [UInt8] {
    fileprivate func littleEndian(at offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(self[offset + $1]) << (8 * UInt32($1)) }
    }

    fileprivate mutating func setLittleEndian(_ value: UInt32, at offset: Int) {
        for byte in 0..<4 { self[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(byte))) }
    }
}
