import Synchronization
package import SystemPackage

/// Files and directories that this process has made and that are of no use if it is told to end in the middle. Under names
/// that nobody else has.
package enum Unfinished {
    private static let made = Mutex<[FilePath]>([])

    package static func note(_ path: FilePath) { made.withLock { $0.append(path) } }

    /// Removes those that are still there under these names. Other threads may be writing to them: what they try to create
    /// from now on, or to rename, is ENOENT.
    package static func removeAll() {
        for path in made.withLock({ $0 }) {
            guard let name = path.lastComponent?.string else { continue }
            let doomed = path.removingLastComponent().appending("\(name).ended")
            guard (try? path.rename(to: doomed)) != nil else { continue }
            try? doomed.removeTree()
        }
    }
}
