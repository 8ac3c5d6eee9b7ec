package import Layers
package import Linux
import Synchronization
package import SystemPackage

import Glibc

/// What the store knows: layers, images, snapshots, containers, mounts, leases, and their lifetimes.
///
/// One connection and one mutex; other processes may have the same store open. Thread-safe.
///
/// Lock order: `layout.lock` (shared, or exclusive for the collector), then the mutex, then the database's
/// write lock. No thread waits for a lock of the left while holding one of the right.
package final class Store: @unchecked Sendable {
    package let layout: StoreLayout
    private let mutex = Mutex<Void>(())
    // Opened by the first thread that needs it. Touched only under the mutex.
    private var opened: Connection?
    private var isLent = false

    private init(_ layout: StoreLayout) { self.layout = layout }

    deinit { if isLent { StoreReserve(layout).fill() } }

    /// Creates what is missing, and closes what others could look into (`StoreLayout.claimed`). What an earlier process
    /// left in tmp/ goes, unless a process is working in it. failedPrecondition where the store holds something, and there
    /// is no database that could know of it.
    package static func open(_ layout: StoreLayout) throws -> Store {
        // Before anything is made in its place.
        if !layout.database.exists {
            try StoreDisagreement.refuseWithoutDatabase(layout) { layout.database.exists }
        }
        let layout = try layout.claimed()
        if !StoreDisagreement.isPresent(layout) {
            try StoreDisagreement.refuseWithoutDatabase(layout) { StoreDisagreement.isPresent(layout) }
            try layout.prepare()
            // Now, not with the first row: a process that finds a layer without a database takes that for lost.
            try Store(layout).read { _ in }
            StoreReserve(layout).fill()
        }
        if let leftovers = try? layout.tmp.names(), !leftovers.isEmpty,
            let lock = try? FileLock(trying: layout.lock, .exclusive)
        {
            // Best effort: the collector says what it can't remove.
            let tmp = try? OwnedFD.open(layout.tmp, O_RDONLY | O_DIRECTORY)
            if let tmp {
                for name in leftovers
                where !StagingHold.isHeld(layout.tmp.appending(String(decoding: name, as: UTF8.self))) {
                    try? tmp.removeTree(name)
                }
            }
            _ = consume lock
        }
        return Store(layout)
    }

    /// For callers that publish and record: held from the first file that a collection would take until the row is there.
    /// Waits while the collector sweeps.
    package func lockForChange() throws -> FileLock {
        try naming("lock \(layout.lock)") { try FileLock(layout.lock, .shared) }
    }

    /// One consistent state, for as long as `body` runs.
    func read<R: Sendable>(_ body: (Connection) throws -> R) throws -> R {
        try mutex.withLock { _ in
            // The first look at a database makes the file of its locks.
            try StoreReserve(layout).lendingToDatabase {
                let connection = try connection()
                return try connection.transaction(writing: false) {
                    try Schema.check(connection)
                    return try body(connection)
                }
            }
        }
    }

    /// All of `body` or nothing. On disk when this returns, unless it is about what does not outlive the machine's
    /// run anyway: then not `durably`. `freeing`: it takes something away, which has to be possible on a full disk;
    /// `body` may be run more than once.
    func write<R: Sendable>(
        durably: Bool = true,
        freeing: Bool = false,
        _ body: (Connection) throws -> R
    ) throws -> R {
        try mutex.withLock { _ in
            freeing
                ? try StoreReserve(layout).lendingToDatabase { try writeOnce(durably: durably, body) }
                : try writeOnce(durably: durably, body)
        }
    }

    private func writeOnce<R>(durably: Bool, _ body: (Connection) throws -> R) throws -> R {
        let connection = try connection()
        var generation: Int64?
        let result = try connection.transaction(writing: true, durable: durably) {
            try Schema.check(connection)
            let before = connection.totalChanges
            let result = try body(connection)
            if durably, connection.totalChanges != before {
                generation = try StoreGeneration.advance(connection)
            }
            return result
        }
        if let generation { StoreGeneration.note(generation, in: layout) }
        return result
    }

    /// Runs `body`, which takes something away or is about a few bytes, and again with the room that the store keeps in
    /// reserve where there is none.
    package func makingRoom<R: ~Copyable>(_ body: () throws(Errno) -> R) throws(Errno) -> R {
        try StoreReserve(layout).lending(body)
    }

    /// Takes the reserve again, after something was freed. Best effort.
    func keepRoom() { StoreReserve(layout).fill() }

    /// Runs `body` as `write` would and then undoes what it did.
    func rehearse<R: Sendable>(_ body: (Connection) throws -> R) throws -> R {
        try mutex.withLock { _ in
            let connection = try connection()
            try connection.execute("BEGIN IMMEDIATE")
            defer { try? connection.execute("ROLLBACK") }
            try Schema.check(connection)
            return try body(connection)
        }
    }

    private func connection() throws -> Connection {
        if let opened { return opened }
        let reserve = StoreReserve(layout)
        isLent = reserve.releaseForMapping()
        // Before the database is looked at, which may go on meanwhile.
        let noted = StoreGeneration.noted(in: layout)
        let connection = try Connection(layout.database)
        connection.logWasEmptied = { reserve.fillLog() }
        try Schema.migrate(connection) {
            try StoreDisagreement.refuseWithoutDatabase(layout) { try Schema.version(of: connection) > 0 }
        }
        try StoreDisagreement.refuse(connection, noted: noted, layout)
        opened = connection
        return connection
    }
}

/// Unix nanoseconds.
func now() -> Int64 { KernelClock.now(CLOCK_REALTIME) }
