package import SystemPackage

import CLinux
import Glibc
import Linux
import Overlay

/// Background copy-up: completes partial files while the mount is idle.
extension UnionTree {
    /// The mount counts as idle if requests took less than this many nanoseconds of processor time during one
    /// pause.
    private static let idle: Int64 = 1_000_000
    /// In milliseconds.
    private static let pause = 1000
    /// In bytes: how much a request may have to wait for, and how much may be dirty at once.
    private static let step: UInt64 = 1 << 18
    private static let synced: UInt64 = 16 << 20

    /// Starts the thread; `close` ends it. The thread sleeps while there is nothing to complete, and
    /// otherwise looks once a second whether the mount is idle. EAGAIN where no thread can be had.
    package func startFilling() throws(Errno) {
        guard upper != nil else { return }
        try fills.start { [self] in
            // Applies to this thread alone.
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
            while let id = fills.next() {
                // A file that can't be completed (the disk is full) stays as good as it was.
                try? fill(id)
            }
        }
    }

    private func fill(_ id: UInt64) throws(FSError) {
        guard waitUntilIdle(), let node = table.find(id), case .partial(let data) = node.data else { return }
        let file = try partial(node, data)
        var position: UInt64 = 0
        var dirty: UInt64 = 0
        var busy = ProcessorTime.ofOthers
        while !fills.hasEnded, hasName(node), try file.fill(from: &position, count: UnionTree.step) {
            dirty += UnionTree.step
            if dirty >= UnionTree.synced {
                try synchronize(file)
                dirty = 0
            }
            if ProcessorTime.ofOthers - busy > UnionTree.idle {
                guard waitUntilIdle() else { return }
            }
            busy = ProcessorTime.ofOthers
        }
        // The loop may have ended for another reason.
        guard try file.isWhole() else { return }
        try synchronize(file)
        data.lock.lockAlone()
        defer { data.lock.unlock() }
        // A hole punched meanwhile would read as zeros once the mark is gone.
        guard try file.isWhole() else { return }
        try file.finish()
    }

    /// A file without a name is about to be deleted.
    private func hasName(_ node: Node) -> Bool { names.locked { !node.isOrphan } }

    private func synchronize(_ file: PartialFile) throws(FSError) {
        guard upper?.isVolatile == false else { return }
        try FSError.wrap { () throws(Errno) in try file.file.fd.synchronize() }
    }

    /// False when the mount ends.
    private func waitUntilIdle() -> Bool {
        while true {
            let before = ProcessorTime.ofOthers
            guard fills.pause(milliseconds: UnionTree.pause) else { return false }
            if ProcessorTime.ofOthers - before < UnionTree.idle { return true }
        }
    }
}

/// Processor time in nanoseconds.
private enum ProcessorTime {
    /// Used by all threads of this process but the calling one: serving a request takes some.
    static var ofOthers: Int64 { read(CLOCK_PROCESS_CPUTIME_ID) - read(CLOCK_THREAD_CPUTIME_ID) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
