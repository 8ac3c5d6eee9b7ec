import CFUSE
import Glibc
import Linux
import Nodes
import SystemPackage

/// The session and the caller of a request.
func session(_ request: fuse_req_t?) -> Session? {
    guard let connection = fuse_req_userdata(request)?.assumingMemoryBound(to: cfuse_connection.self),
        let owner = connection.pointee.owner
    else { return nil }
    return Unmanaged<Session>.fromOpaque(owner).takeUnretainedValue()
}

func caller(_ request: fuse_req_t?) -> Caller {
    guard let context = fuse_req_ctx(request) else { return Caller(uid: 0, gid: 0, umask: 0) }
    return Caller(uid: context.pointee.uid, gid: context.pointee.gid, umask: context.pointee.umask)
}

func bytes(_ string: UnsafePointer<CChar>?) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: string, count: string.map { strlen($0) } ?? 0)
}

/// Runs `body` and replies with the error that it throws.
@inline(__always)
func answer(
    _ request: fuse_req_t?,
    _ what: StaticString,
    _ node: UInt64,
    _ body: (any Operations) throws(FSError) -> Void
) {
    guard let session = session(request) else {
        fuse_reply_err(request, EIO)
        return
    }
    var retry = RoomRetry(session)
    while true {
        do throws(FSError) {
            return try body(session.operations)
        } catch {
            if retry.isWorthwhile(after: error) { continue }
            session.report(error, what, node)
            fuse_reply_err(request, error.errno)
            return
        }
    }
}

@inline(__always)
func acknowledge(
    _ request: fuse_req_t?,
    _ what: StaticString,
    _ node: UInt64,
    _ body: (any Operations) throws(FSError) -> Void
) {
    answer(request, what, node) { (operations) throws(FSError) in
        try body(operations)
        fuse_reply_err(request, 0)
    }
}

/// Replies with an entry and takes its reference back if the kernel did not get it (ENOENT: interrupted).
@inline(__always)
func replyEntry(_ request: fuse_req_t?, _ status: Attributes, _ operations: any Operations) {
    var entry = fuse_entry_param(status)
    if fuse_reply_entry(request, &entry) != 0 { operations.forget(status.id, count: 1) }
}

func attribute(_ name: UnsafePointer<CChar>?) -> XattrName { XattrName(bytes(name)) }

/// The two-step protocol of getxattr and listxattr: size 0 asks for the size.
func reply(_ request: fuse_req_t?, _ value: [UInt8], _ size: Int) throws(FSError) {
    guard size > 0 else {
        fuse_reply_xattr(request, value.count)
        return
    }
    guard value.count <= size else { throw .system(.outOfRange) }
    value.withUnsafeBytes { bytes in
        _ = fuse_reply_buf(request, bytes.assumingMemoryBound(to: CChar.self).baseAddress, bytes.count)
    }
}
