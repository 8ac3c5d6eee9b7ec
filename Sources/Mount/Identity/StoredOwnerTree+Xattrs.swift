import Linux

import SystemPackage

/// Attributes: those that the daemon may not set are kept under another name.
extension StoredOwnerTree {
    /// The name below of one inside.
    func stored(_ name: String) -> String {
        store == .user && name.hasPrefix("security.") ? OwnerStore.escape + name : name
    }

    /// The name inside of one below; nil for what is not to be seen.
    func visible(_ stored: String) -> String? {
        guard stored != store.attribute, stored != store.olderAttribute, !ACL.names.contains(stored) else {
            return nil
        }
        let escaped = OwnerStore.escape + "security."
        return store == .user && stored.hasPrefix(escaped)
            ? String(stored.dropFirst(OwnerStore.escape.count)) : stored
    }

    /// Whether a name may be used from inside: EOPNOTSUPP for ACLs, EPERM for the daemon's own.
    func check(_ name: String) throws(FSError) {
        if ACL.names.contains(name) { throw .system(.notSupported) }
        if visible(name) != name { throw .system(.notPermitted) }
    }
}
