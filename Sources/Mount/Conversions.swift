import FUSE
import Union

// The union and the protocol do not know each other; here is where they meet.

extension NodeStatus {
    init(_ attributes: Attributes) {
        self.init()
        node = attributes.id
        ino = attributes.ino
        mode = attributes.mode
        nlink = attributes.nlink
        uid = attributes.uid
        gid = attributes.gid
        rdev = attributes.rdev
        size = attributes.size
        blocks = attributes.blocks
        atime = (attributes.atime.seconds, attributes.atime.nanoseconds)
        mtime = (attributes.mtime.seconds, attributes.mtime.nanoseconds)
        ctime = (attributes.ctime.seconds, attributes.ctime.nanoseconds)
    }
}

extension AttributeChange {
    init(_ change: StatusChange) {
        self.init()
        mode = change.mode
        uid = change.uid
        gid = change.gid
        size = change.size
        atime = change.atime.map(Time.init)
        mtime = change.mtime.map(Time.init)
        ctime = change.ctime.map { Attributes.Time(seconds: $0.seconds, nanoseconds: $0.nanoseconds) }
        killsPrivileges = change.killsPrivileges
    }
}

extension AttributeChange.Time {
    fileprivate init(_ time: StatusChange.Time) {
        switch time {
        case .now: self = .now
        case .at(let seconds, let nanoseconds): self = .at(seconds: seconds, nanoseconds: nanoseconds)
        }
    }
}

extension Creator {
    init(_ caller: Caller) { self.init(uid: caller.uid, gid: caller.gid, umask: caller.umask) }
}
