import CFUSE
import Glibc
import Linux
import SystemPackage

// What the kernel leaves to the filesystem, where a request has no flag for it. Whoever is not uid 0 is taken to have
// none of the capabilities in question.

func isPrivileged(_ request: fuse_req_t?) -> Bool {
    fuse_req_ctx(request)?.pointee.uid == 0
}

/// Drops set-id bits before an ordinary user changes a file's data. FUSE_FALLOCATE and FUSE_COPY_FILE_RANGE don't
/// say that it should be done, as FUSE_WRITE does.
func dropSetID(
    _ request: fuse_req_t?,
    _ operations: any Operations,
    _ node: UInt64
) throws(FSError) {
    guard !isPrivileged(request) else { return }
    let mode = try operations.status(of: node).mode
    var kept = mode & ~S_ISUID
    // Set-group-id without group execution once meant mandatory locking: it stays.
    if mode & S_IXGRP != 0 { kept &= ~S_ISGID }
    try setMode(request, kept, of: node, was: mode, operations)
}

/// After an access ACL was set: set-group-id goes if the caller is not in the file's group. The kernel has
/// FUSE_SETXATTR_ACL_KILL_SGID for it, in a form of FUSE_SETXATTR that libfuse 3.14 can't decode.
func dropSetGroupID(
    _ request: fuse_req_t?,
    _ operations: any Operations,
    _ node: UInt64
) throws(FSError) {
    guard !isPrivileged(request) else { return }
    let status = try operations.status(of: node)
    guard status.mode & S_ISGID != 0, !isMember(request, of: status.gid) else { return }
    try setMode(request, status.mode & ~S_ISGID, of: node, was: status.mode, operations)
}

private func isMember(_ request: fuse_req_t?, of group: UInt32) -> Bool {
    if fuse_req_ctx(request)?.pointee.gid == group { return true }
    // NGROUPS_MAX.
    let groups = [gid_t](unsafeUninitializedCapacity: 65536) { buffer, count in
        // From /proc; none of a caller in another pid namespace.
        count = max(Int(fuse_req_getgroups(request, CInt(buffer.count), buffer.baseAddress)), 0)
    }
    return groups.contains(group)
}

private func setMode(
    _ request: fuse_req_t?,
    _ mode: UInt32,
    of node: UInt64,
    was old: UInt32,
    _ operations: any Operations
) throws(FSError) {
    guard mode != old else { return }
    var change = StatusChange()
    change.mode = mode & 0o7777
    _ = try operations.change(node, change)
    // The kernel has the old mode, and would run the file with it.
    let connection = fuse_req_userdata(request)?.assumingMemoryBound(to: cfuse_connection.self)
    if let session = connection?.pointee.session {
        fuse_lowlevel_notify_inval_inode(session, node, -1, 0)
    }
}
