import Glibc
import Linux
import Nodes
import Synchronization
import SystemPackage

/// What stat(2) goes on saying of a file that the union has changed for its own sake: a copy came into a directory, a
/// note into an attribute, data from below. No user of the mount did that, and so nobody is to see it: tar, for one,
/// takes a file whose ctime moves while it is read for one that was changed.
///
/// It lasts until somebody does change the file, and not beyond the mount: a ctime can't be set.
struct KeptStatus {
    private var ctime: Attributes.Time
    /// Of a directory; nobody else's are touched.
    private var size: UInt64
    private var blocks: UInt64
    /// The times of the file that the union left behind. Any others are somebody's change.
    private var left = timespec()
    private var leftModified = timespec()

    /// What was shown of a lower file, which was copied up.
    init(_ inode: LowerInode) {
        (ctime, size, blocks) = (inode.ctime, inode.size, inode.blocks)
    }

    /// What was shown of an upper one; `ctime` where it is not its own.
    init(_ status: FileStatus, ctime: Attributes.Time? = nil) {
        self.ctime = ctime ?? Attributes.Time(status.st_ctim)
        (size, blocks) = (UInt64(status.st_size), UInt64(status.st_blocks))
    }

    /// From now on it stands for a file that looks like this.
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

/// The same of nodes that the kernel has forgotten: a few thousand, the last ones.
struct ForgottenStatuses {
    private var statuses: [UInt64: KeptStatus] = [:]
    /// In the order of their coming; some have been taken since.
    private var order: [UInt64] = []
    private static let most = 4096

    mutating func add(_ status: KeptStatus, of id: UInt64) {
        if statuses.updateValue(status, forKey: id) == nil { order.append(id) }
        guard order.count > 2 * Self.most else { return }
        for id in order.prefix(Self.most) { statuses[id] = nil }
        order.removeFirst(Self.most)
    }

    mutating func take(_ id: UInt64) -> KeptStatus? {
        statuses.isEmpty ? nil : statuses.removeValue(forKey: id)
    }
}

extension Node {
    /// Runs `body`, which changes the file of this node for the union's own sake. `name` in `directory`, or what is open.
    func keepingStatus<R, E: Error>(
        of name: FileName = .itself,
        in directory: borrowing OwnedFD,
        _ body: () throws(E) -> R
    ) throws(E) -> R {
        let changes = changes
        let before = try? directory.status(of: name)
        // Where it fails, a part of it may be done.
        defer { keepStatus(before, try? directory.status(of: name), since: changes) }
        return try body()
    }

    /// Runs `body`, which changes what is in this directory, and gives it the times it had before.
    func keepingTimes(_ directory: borrowing OwnedFD, _ body: () throws(Errno) -> Void) throws(Errno) {
        let changes = changes
        let before = try directory.keepingTimes(body)
        keepStatus(before, try? directory.status(of: .dot), since: changes)
    }

    /// Of a copy of `inode` that has just got its place, and looks like `status` there.
    func keepStatus(_ inode: LowerInode, _ status: FileStatus) {
        var new = KeptStatus(inode)
        new.follow(status)
        shown.withLock { $0.status = new }
    }

    /// Of a file that looks like `status` and is to be shown with this time.
    func keepStatus(_ ctime: Attributes.Time, _ status: FileStatus) {
        var new = KeptStatus(status, ctime: ctime)
        new.follow(status)
        shown.withLock { $0.status = new }
    }

    private func keepStatus(_ before: FileStatus?, _ after: FileStatus?, since changes: UInt64) {
        guard let before, let after, !before.st_ctim.equals(after.st_ctim) else { return }
        shown.withLock { kept in
            // Somebody changed it meanwhile: that is what shows.
            guard kept.changes == changes else { return }
            var new = kept.status.flatMap { $0.isOf(before) ? $0 : nil } ?? KeptStatus(before)
            new.follow(after)
            kept.status = new
        }
    }

    /// Somebody changed what the clock of the filesystem may be too coarse to tell from what the union did.
    func noteChange() {
        shown.withLock {
            $0.status = nil
            $0.changes += 1
        }
    }

    private var changes: UInt64 { shown.withLock { $0.changes } }

    /// What is to be shown instead of `status`, which the file just had.
    func keptStatus(_ status: FileStatus) -> KeptStatus? {
        shown.withLock { kept in kept.status.flatMap { $0.isOf(status) ? $0 : nil } }
    }
}

extension timespec {
    fileprivate func equals(_ other: timespec) -> Bool {
        tv_sec == other.tv_sec && tv_nsec == other.tv_nsec
    }
}
