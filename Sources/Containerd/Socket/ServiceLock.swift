package import Layers
import Linux
import Snapshots
package import SystemPackage

import Glibc

/// Who serves a store: one process at a time. In the file stands its number and where it listens.
package enum ServiceLock {
    /// Held until the process ends. failedPrecondition where another one has it.
    package static func hold(_ layout: StoreLayout, socket: FilePath) throws {
        let lock = try naming("lock \(layout.service)") { try FileLock(trying: layout.service) }
        guard let lock else {
            let other = ServiceStatus(of: layout)
            throw Failure(
                "the store \(layout.root) is served already"
                    + (other.map { ", by process \($0.pid) at \($0.socket)" } ?? ""),
                advice: "One micad serves a store. End that one first: systemctl stop micad"
                    + (other.map { ", or kill \($0.pid)" } ?? ""),
                kind: .failedPrecondition
            )
        }
        let file = OwnedFD(adopting: lock.release())
        let text = Array("\(getpid()) \(socket)\n".utf8)
        try naming("write \(layout.service)") {
            try file.truncate(to: 0)
            try text.span.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(Errno) in
                try file.writeAll(bytes, at: 0)
            }
        }
        _ = file.release()
    }

    /// The same for where snapshots are mounted: their numbers, which name the directories, are the store's own.
    package static func hold(state directory: FilePath) throws {
        let path = directory.appending("micad.lock")
        guard let lock = try naming("lock \(path)", { try FileLock(trying: path) }) else {
            throw Failure(
                "\(directory) is where another micad mounts its snapshots",
                advice: "Give this one a directory of its own: --state",
                kind: .failedPrecondition
            )
        }
        _ = lock.release()
    }
}
