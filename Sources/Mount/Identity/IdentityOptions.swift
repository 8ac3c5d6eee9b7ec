package import FUSE

/// Options that make a mount show other owners, modes and attributes than its layers have.
package struct IdentityOptions: Sendable {
    package var uids = IdentityMap()
    package var gids = IdentityMap()
    package var squashesToRoot = false
    package var squashUID: UInt32?
    package var squashGID: UInt32?
    /// Directories have a link count of 1.
    package var hasStaticLinkCount = false
    /// POSIX ACLs are not supported: EOPNOTSUPP.
    package var hidesACLs = false
    /// Extended attributes are not supported.
    package var hidesXattrs = false
    /// Owner and mode are stored in an attribute instead of the inode.
    package var ownerStore: OwnerStore?

    package init() {}

    /// `tree` as these options show it. Without options it is returned itself, so that nothing slows it down.
    package func apply(to tree: any Operations) -> any Operations {
        var tree = tree
        if let ownerStore { tree = StoredOwnerTree(tree, ownerStore) }
        if changesIdentity || hasStaticLinkCount || hidesACLs || hidesXattrs { tree = MappedTree(tree, self) }
        return tree
    }

    /// Whether the mount supports ACLs.
    package var supportsACLs: Bool { !hidesACLs && ownerStore == nil }

    var squashes: Bool { squashesToRoot || squashUID != nil || squashGID != nil }
    private var changesIdentity: Bool { squashes || !uids.isIdentity || !gids.isIdentity }
}
