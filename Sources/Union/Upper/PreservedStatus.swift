import Glibc
import Linux
import Nodes
import Synchronization
import SystemPackage

/// The status that stat(2) goes on showing for a file that the union changed for its own sake, by copying a file
/// into a directory, setting an attribute or completing data. No user changed the file, so the change must not show:
/// tar, for one, reports a file whose ctime moves while it is read as changed.
///
/// It lasts until a user does change the file, and at most as long as the mount: a ctime can't be set.
struct PreservedStatus {
    private var ctime: Attributes.Time
    /// Shown for directories only.
    private var size: UInt64
    private var blocks: UInt64
    /// The times that the union's change left on the file. Other times mean that a user has changed it since.
    private var left = timespec()
    private var leftModified = timespec()

    /// The status shown of a lower file that was copied up.
    init(_ inode: LowerInode) {
        (ctime, size, blocks) = (inode.ctime, inode.size, inode.blocks)
    }

    /// The status shown of an upper file; `ctime` where it differs from the file's own.
    init(_ status: FileStatus, ctime: Attributes.Time? = nil) {
        self.ctime = ctime ?? Attributes.Time(status.st_ctim)
        (size, blocks) = (UInt64(status.st_size), UInt64(status.st_blocks))
    }

    /// Applies from now on as long as the file looks like this.
    mutating func follow(_ status: FileStatus) {
        (left, leftModified) = (status.st_ctim, status.st_mtim)
    }

    func isOf(_ status: FileStatus) -> Bool {
        left.equals(status.st_ctim) && leftModified.equals(status.st_mtim)
    }

    func apply(to attributes: inout Attributes) {
        attributes.ctime = ctime
        if attributes.isDirectory { (attributes.size, attributes.blocks) = (size, blocks) }
    }
}

/// The preserved statuses of the nodes that the kernel forgot last, a few thousand.
struct ForgottenStatuses {
    private var statuses: [UInt64: PreservedStatus] = [:]
    /// In the order of their arrival; some have been taken since.
    private var order: [UInt64] = []
    private static let most = 4096

    mutating func add(_ status: PreservedStatus, of id: UInt64) {
        if statuses.updateValue(status, forKey: id) == nil { order.append(id) }
        guard order.count > 2 * Self.most else { return }
        for id in order.prefix(Self.most) { statuses[id] = nil }
        order.removeFirst(Self.most)
    }

    mutating func take(_ id: UInt64) -> PreservedStatus? {
        statuses.isEmpty ? nil : statuses.removeValue(forKey: id)
    }
}

extension Node {
    /// Runs `body`, which changes this node's file for the union's own sake: `name` in `directory`, or the open file
    /// itself.
    func keepingStatus<R, E: Error>(
        of name: FileName = .itself,
        in directory: borrowing OwnedFD,
        _ body: () throws(E) -> R
    ) throws(E) -> R {
        let changes = changes
        let before = try? directory.status(of: name)
        // If it fails, part of the change may be done.
        defer { preserveStatus(before, try? directory.status(of: name), since: changes) }
        return try body()
    }

    /// Runs `body`, which changes what is in this directory, and gives the directory its former times back.
    func keepingTimes(_ directory: borrowing OwnedFD, _ body: () throws(Errno) -> Void) throws(Errno) {
        let changes = changes
        let before = try directory.keepingTimes(body)
        preserveStatus(before, try? directory.status(of: .dot), since: changes)
    }

    /// Preserves the status of `inode` for its copy, which was just put in place and looks like `status` there.
    func preserveStatus(_ inode: LowerInode, _ status: FileStatus) {
        var new = PreservedStatus(inode)
        new.follow(status)
        shown.withLock { $0.status = new }
    }

    /// Preserves `ctime` for a file that looks like `status`.
    func preserveStatus(_ ctime: Attributes.Time, _ status: FileStatus) {
        var new = PreservedStatus(status, ctime: ctime)
        new.follow(status)
        shown.withLock { $0.status = new }
    }

    private func preserveStatus(_ before: FileStatus?, _ after: FileStatus?, since changes: UInt64) {
        guard let before, let after, !before.st_ctim.equals(after.st_ctim) else { return }
        shown.withLock { shown in
            // A user's change meanwhile is what shows.
            guard shown.changes == changes else { return }
            var new = shown.status.flatMap { $0.isOf(before) ? $0 : nil } ?? PreservedStatus(before)
            new.follow(after)
            shown.status = new
        }
    }

    /// Drops the preserved status for a user's change, which a coarse clock may not tell from the union's.
    func noteChange() {
        shown.withLock {
            $0.status = nil
            $0.changes += 1
        }
    }

    private var changes: UInt64 { shown.withLock { $0.changes } }

    /// The status to show instead of `status`, which the file has right now.
    func preservedStatus(_ status: FileStatus) -> PreservedStatus? {
        shown.withLock { shown in shown.status.flatMap { $0.isOf(status) ? $0 : nil } }
    }
}

extension timespec {
    fileprivate func equals(_ other: timespec) -> Bool {
        tv_sec == other.tv_sec && tv_nsec == other.tv_nsec
    }
}
