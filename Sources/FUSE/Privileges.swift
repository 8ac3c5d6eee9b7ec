import CFUSE
import Glibc
import Linux
import Nodes

// Decisions that the kernel leaves to the filesystem in requests without a flag for them. A caller who is not uid 0
// is taken to have none of the capabilities in question.

func isPrivileged(_ request: fuse_req_t?) -> Bool {
    fuse_req_ctx(request)?.pointee.uid == 0
}

/// Whether a request that has no flag for it (FUSE_FALLOCATE, FUSE_COPY_FILE_RANGE) may drop a file's set-id bits.
func mayKillPrivileges(
    _ request: fuse_req_t?,
    _ operations: any Operations,
    _ node: UInt64
) throws(FSError) -> Bool {
    if isPrivileged(request) { return false }
    return try hasSetID(operations, node)
}

func hasSetID(_ operations: any Operations, _ node: UInt64) throws(FSError) -> Bool {
    try operations.attributes(of: node).mode & (S_ISUID | S_ISGID) != 0
}

/// Called after set-id bits were dropped: with the old mode in its cache, the kernel would still run the file with
/// them.
func noteKilledPrivileges(_ request: fuse_req_t?, _ node: UInt64) {
    let connection = fuse_req_userdata(request)?.assumingMemoryBound(to: cfuse_connection.self)
    if let session = connection?.pointee.session {
        fuse_lowlevel_notify_inval_inode(session, node, -1, 0)
    }
}
