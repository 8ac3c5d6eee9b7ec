package import Layers
import Linux

extension Store {
    /// As `open`, but leaves to `collect` what an earlier process left in tmp/, so that it is counted.
    package static func openForCollection(_ layout: StoreLayout) throws -> Store {
        guard layout.lock.exists else { return try open(layout) }
        // While a process holds it, `open` removes nothing.
        let lock = try naming("lock \(layout.lock)") { try FileLock(layout.lock, .shared) }
        let store = try open(layout)
        _ = consume lock
        return store
    }
}
