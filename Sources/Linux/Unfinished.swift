import Synchronization
package import SystemPackage

/// Files and directories that this process has made and that are useless if it has to end before it is done. No
/// other process uses their names.
package enum Unfinished {
    private static let made = Mutex<[FilePath]>([])

    /// Held from before one is made until it is recorded, so that none is missed.
    private static let making = Lock()

    /// Called before one is made. `made` must follow, whether it could be made or not.
    package static func begin() { making.lock() }

    /// nil: it could not be made.
    package static func made(_ path: FilePath?) {
        if let path { made.withLock { $0.append(path) } }
        making.unlock()
    }

    /// Removes those that still exist under these names. Other threads may be writing to them: from now on they get
    /// ENOENT when they create or rename files there. No more are made: a thread that tries waits for the end of the
    /// process.
    package static func removeAll() {
        making.lock()
        for path in made.withLock({ $0 }) {
            guard let name = path.lastComponent?.string else { continue }
            let doomed = path.removingLastComponent().appending("\(name).ended")
            guard (try? path.rename(to: doomed)) != nil else { continue }
            try? doomed.removeTree()
        }
    }
}
