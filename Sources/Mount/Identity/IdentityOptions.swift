package import FUSE

/// What a mount shows of owners, modes and attributes other than what its layers say.
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
    /// Extended attributes are not supported at all.
    package var hidesXattrs = false
    /// Owner and mode are kept in an attribute instead of the inode.
    package var ownerStore: OwnerStore?

    package init() {}

    /// `tree` as these options show it: itself, and no slower, when there are none.
    package func apply(to tree: any Operations) -> any Operations {
        var tree = tree
        if let ownerStore { tree = StoredOwnerTree(tree, ownerStore) }
        if changesIdentity || hasStaticLinkCount || hidesACLs || hidesXattrs { tree = MappedTree(tree, self) }
        return tree
    }

    /// Whether the kernel may be told of ACLs.
    package var supportsACLs: Bool { !hidesACLs && ownerStore == nil }

    var squashes: Bool { squashesToRoot || squashUID != nil || squashGID != nil }
    private var changesIdentity: Bool { squashes || !uids.isIdentity || !gids.isIdentity }
}
