import Linux

import SystemPackage

/// Attributes: those that the daemon may not set are kept under another name.
extension StoredOwnerTree {
    /// The name below of one inside.
    func stored(_ name: XattrName) -> XattrName {
        store == .user && name.hasPrefix("security.") ? OwnerStore.escape + name : name
    }

    /// The name inside of one below; nil for what is not to be seen.
    func visible(_ stored: XattrName) -> XattrName? {
        guard stored != store.attribute, stored != store.olderAttribute, !ACL.names.contains(stored) else {
            return nil
        }
        guard store == .user, let inner = stored.dropping(OwnerStore.escape), inner.hasPrefix("security.")
        else {
            return stored
        }
        return inner
    }

    /// Whether a name may be used from inside: EOPNOTSUPP for ACLs, EPERM for the daemon's own.
    func check(_ name: XattrName) throws(FSError) {
        if ACL.names.contains(name) { throw .system(.notSupported) }
        if visible(name) != name { throw .system(.notPermitted) }
    }
}
