import Synchronization
package import SystemPackage

/// Files and directories that this process has made and that are of no use if it is told to end in the middle. Under names
/// that nobody else has.
package enum Unfinished {
    private static let made = Mutex<[FilePath]>([])

    /// Held from before one is made until it is noted: none is made unnoticed.
    private static let making = Lock()

    /// Before one is made. `made` comes next, whatever becomes of it.
    package static func begin() { making.lock() }

    /// nil: it could not be made.
    package static func made(_ path: FilePath?) {
        if let path { made.withLock { $0.append(path) } }
        making.unlock()
    }

    /// Removes those that are still there under these names. Other threads may be writing to them: what they try to create
    /// from now on, or to rename, is ENOENT. None is made any more: who tries to waits for the end.
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
