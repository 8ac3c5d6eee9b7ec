package import Layers
package import Linux
import Synchronization

import Glibc

/// What the store knows: layers, images, snapshots, containers, mounts, leases, and their lifetimes.
///
/// One connection and one mutex; other processes may have the same store open. Thread-safe.
///
/// Lock order: `layout.lock` (shared, or exclusive for the collector), then the mutex, then the database's
/// write lock. Nobody waits for a lock of the left while holding one of the right.
package final class Store: @unchecked Sendable {
    package let layout: StoreLayout
    private let mutex = Mutex<Void>(())
    // Opened by whoever needs it first. Touched only under the mutex.
    private var opened: Connection?

    private init(_ layout: StoreLayout) { self.layout = layout }

    /// Creates what is missing, and closes what others could look into (`StoreLayout.claimed`). What an earlier process
    /// left in tmp/ goes, unless somebody is working in it.
    package static func open(_ layout: StoreLayout) throws -> Store {
        let layout = try layout.claimed()
        if let leftovers = try? layout.tmp.names(), !leftovers.isEmpty,
            let lock = try? FileLock(trying: layout.lock, .exclusive)
        {
            // Best effort: the collector says what it can't remove.
            let tmp = try? OwnedFD.open(layout.tmp, O_RDONLY | O_DIRECTORY)
            if let tmp { for name in leftovers { try? tmp.removeTree(name) } }
            _ = consume lock
        }
        return Store(layout)
    }

    /// For whoever stages, publishes and records: held from the first file in tmp/ until the row is there.
    /// Waits while the collector sweeps.
    package func lockForChange() throws -> FileLock {
        try naming("lock \(layout.lock)") { try FileLock(layout.lock, .shared) }
    }

    /// One consistent state, for as long as `body` runs.
    func read<R: Sendable>(_ body: (Connection) throws -> R) throws -> R {
        try mutex.withLock { _ in
            let connection = try connection()
            return try connection.transaction(writing: false) { try body(connection) }
        }
    }

    /// All of `body` or nothing. On disk when this returns, unless it is about what does not outlive the machine's
    /// run anyway: then not `durably`.
    func write<R: Sendable>(durably: Bool = true, _ body: (Connection) throws -> R) throws -> R {
        try mutex.withLock { _ in
            let connection = try connection()
            return try connection.transaction(writing: true, durable: durably) { try body(connection) }
        }
    }

    /// Runs `body` as `write` would and then undoes what it did.
    func rehearse<R: Sendable>(_ body: (Connection) throws -> R) throws -> R {
        try mutex.withLock { _ in
            let connection = try connection()
            try connection.execute("BEGIN IMMEDIATE")
            defer { try? connection.execute("ROLLBACK") }
            return try body(connection)
        }
    }

    private func connection() throws -> Connection {
        if let opened { return opened }
        let connection = try Connection(layout.database)
        try Schema.migrate(connection)
        opened = connection
        return connection
    }
}

/// Unix nanoseconds.
func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
