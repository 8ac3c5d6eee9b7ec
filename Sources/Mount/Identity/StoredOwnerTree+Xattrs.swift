import Linux

import SystemPackage

/// Attributes that the daemon may not set are stored under another name.
extension StoredOwnerTree {
    /// The name under which an attribute is stored.
    func stored(_ name: XattrName) -> XattrName {
        store == .user && name.hasPrefix("security.") ? OwnerStore.escape + name : name
    }

    /// The name of a stored attribute in the mount; nil for a hidden one.
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

    /// Whether a process may use a name: EOPNOTSUPP for ACLs, EPERM for the daemon's own.
    func check(_ name: XattrName) throws(FSError) {
        if ACL.names.contains(name) { throw .system(.notSupported) }
        if visible(name) != name { throw .system(.notPermitted) }
    }
}
