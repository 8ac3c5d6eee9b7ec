import CSQLite
package import Linux
package import SystemPackage

import Glibc

/// One connection to a SQLite database. Not thread-safe: its owner serialises.
///
/// Statements are prepared once and kept. Values are always bound, never pasted into SQL.
package final class Connection {
    private let handle: OpaquePointer
    private let path: FilePath
    private let busyTimeout: Int32
    private var statements: [String: Statement] = [:]
    /// Whether a commit waits for the disk.
    private var isDurable = true
    /// Called when the log was emptied.
    package var logWasEmptied: () -> Void = {}
    /// After the last commit.
    private var pagesInLog: CInt = 0
    private static let longLog: CInt = 64

    /// Creates the file when missing. Waits up to `busyTimeout` milliseconds for another process's transaction.
    package init(_ path: FilePath, busyTimeout: Int32 = 30_000) throws(Failure) {
        self.path = path
        self.busyTimeout = busyTimeout
        var handle: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let code = path.withPlatformString { sqlite3_open_v2($0, &handle, flags, nil) }
        guard let handle else { throw Failure("open \(path): out of memory") }
        guard code == SQLITE_OK else {
            let message = String(cString: sqlite3_errmsg(handle))
            let system = Errno(rawValue: sqlite3_system_errno(handle))
            sqlite3_close_v2(handle)
            throw Failure("open \(path): \(message)\(system.rawValue == 0 ? "" : " (\(system))")")
        }
        self.handle = handle
        sqlite3_busy_timeout(handle, busyTimeout)
        // What is in the log is as durable as what is in the database: closing need not wait for the disk.
        _ = csqlite_configure(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        try execute("PRAGMA foreign_keys = ON")
        try execute("PRAGMA synchronous = FULL")
        // SQLite moves the log into the database where a commit finds it long, and begins it anew where the same
        // connection commits once more: programs that commit once would make it longer for ever.
        sqlite3_wal_hook(
            handle,
            { connection, _, _, pages in
                guard let connection else { return SQLITE_OK }
                Unmanaged<Connection>.fromOpaque(connection).takeUnretainedValue().pagesInLog = pages
                return SQLITE_OK
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement.handle) }
        sqlite3_close_v2(handle)
    }

    /// Runs a script without parameters.
    package func execute(_ script: String) throws(Failure) {
        let code = sqlite3_exec(handle, script, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code, script) }
    }

    /// Turns the file's log on, which is kept in the file.
    ///
    /// The busy timeout does not cover this: the switch reads first and then wants the file for itself, and
    /// SQLite doesn't wait for a lock while it holds one. So when several programs open a new store at once,
    /// all but one are told to come again.
    func useWriteAheadLog() throws(Failure) {
        let script = "PRAGMA journal_mode = WAL"
        let pause: Int32 = 5
        var left = busyTimeout
        while true {
            let code = sqlite3_exec(handle, script, nil, nil, nil)
            if code == SQLITE_OK { return }
            guard code & 0xff == SQLITE_BUSY, left > 0 else { throw failure(code, script) }
            usleep(UInt32(pause) * 1000)
            left -= pause
        }
    }

    /// Runs one statement that gives no rows.
    package func run(_ sql: String, _ values: any SQLConvertible...) throws {
        try each(sql, values) { _ in false }
    }

    package func rows<R>(_ sql: String, _ values: any SQLConvertible..., read: (Row) throws -> R) throws
        -> [R]
    {
        var rows: [R] = []
        try each(sql, values) { row in
            rows.append(try read(row))
            return true
        }
        return rows
    }

    package func first<R>(_ sql: String, _ values: any SQLConvertible..., read: (Row) throws -> R) throws
        -> R?
    {
        var first: R?
        try each(sql, values) { row in
            first = try read(row)
            return false
        }
        return first
    }

    /// The first column of the first row; nil without a row.
    package func value<V: SQLConvertible>(_ sql: String, _ values: any SQLConvertible...) throws -> V? {
        var first: V?
        try each(sql, values) { row in
            first = try row[0] as V
            return false
        }
        return first
    }

    package var lastInsertedRow: Int64 { sqlite3_last_insert_rowid(handle) }
    /// Rows that the last statement changed.
    package var changes: Int { Int(sqlite3_changes(handle)) }

    /// All of `body` or nothing. `writing` takes the write lock at once, so that what `body` reads stays
    /// true until it writes; without it, what `body` reads is one consistent state.
    ///
    /// A `durable` one is on disk when this returns. One that is not may be lost when the machine stops, never in
    /// part, and never without what was written after it.
    package func transaction<R>(writing: Bool, durable: Bool = true, _ body: () throws -> R) throws -> R {
        if writing, durable != isDurable {
            try execute("PRAGMA synchronous = \(durable ? "FULL" : "NORMAL")")
            isDurable = durable
        }
        try execute(writing ? "BEGIN IMMEDIATE" : "BEGIN")
        do {
            let result = try body()
            try execute("COMMIT")
            shortenLog()
            return result
        } catch {
            // SQLite may have rolled back by itself (a full disk): then there is nothing to roll back.
            if sqlite3_get_autocommit(handle) == 0 { try? execute("ROLLBACK") }
            throw error
        }
    }

    /// Moves what is in the log into the database, where it is long: the process that opens the log first reads all of it, a few
    /// microseconds a page; but moving it waits for the disk three times. Where another process reads or writes, the next
    /// one gets another chance.
    private func shortenLog() {
        guard pagesInLog >= Connection.longLog else { return }
        sqlite3_busy_timeout(handle, 0)
        defer { sqlite3_busy_timeout(handle, busyTimeout) }
        emptyLog()
    }

    /// Moves what is in the log into the database, and waits until that is on disk. Nothing where another process reads
    /// or writes meanwhile for longer than `busyTimeout`.
    func emptyLog() {
        if sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil) == SQLITE_OK {
            pagesInLog = 0
            logWasEmptied()
        }
    }

    /// Places on disk for the index of a log that a transaction makes long which writes all of the database anew. The file is
    /// mapped, and a page of it that finds no place on a full disk would end the process (SIGBUS). noSpace.
    func reserveLogIndex() throws {
        guard let pages: Int64 = try value("PRAGMA page_count") else { return }
        // 32 KiB for each 4,096 pages of the log, which may get a page more than once.
        let size = 32 << 10 + UInt64(clamping: pages) * 32
        do throws(Errno) {
            let index = try OwnedFD.open(FilePath("\(path.string)-shm"), O_WRONLY)
            // Closing it would take SQLite's locks of the file from this process: it stays open, once for a store's upgrade.
            let error: Errno?
            do throws(Errno) {
                try index.allocate(size, keepingSize: true)
                error = nil
            } catch let failed { error = failed }
            _ = index.release()
            if let error { throw error }
        } catch {
            guard error.isOutOfSpace else { return }
            throw Failure(
                "\(path): there is no room left on its filesystem, or within a quota",
                kind: .noSpace
            )
        }
    }

    /// Rows that this connection has changed so far.
    var totalChanges: Int64 { sqlite3_total_changes64(handle) }

    /// Steps through the rows until `body` returns false.
    private func each(
        _ sql: String,
        _ values: [any SQLConvertible],
        _ body: (Row) throws -> Bool
    ) throws {
        let statement = try prepared(sql)
        defer { statement.reset() }
        try statement.bind(values)
        while true {
            let code = sqlite3_step(statement.handle)
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw failure(code, sql) }
            guard try body(Row(statement: statement)) else { return }
        }
    }

    private func prepared(_ sql: String) throws(Failure) -> Statement {
        // One that is being stepped (a query inside a query's row) can't be bound again.
        if let statement = statements[sql], sqlite3_stmt_busy(statement.handle) == 0 { return statement }
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared else { throw failure(code, sql) }
        let statement = Statement(handle: prepared, sql: sql)
        guard statements[sql] == nil else {
            sqlite3_finalize(prepared)
            throw Failure("this statement is already running: \(sql)")
        }
        statements[sql] = statement
        return statement
    }

    private func failure(_ code: CInt, _ sql: String) -> Failure {
        let message = String(cString: sqlite3_errmsg(handle))
        switch code & 0xff {
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return Failure(
                "\(path) is damaged: \(message)",
                advice: "Restore it from a backup, or move the store away and load the images again."
            )
        case SQLITE_BUSY, SQLITE_LOCKED:
            return Failure("\(path) is locked by another process: \(message)", advice: "Try again.")
        case SQLITE_FULL, SQLITE_IOERR, SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_PERM:
            let system = Errno(rawValue: sqlite3_system_errno(handle))
            // A quota that is full is an error of writing to SQLite, and the file of its locks may not fit either.
            let isFull =
                code & 0xff == SQLITE_FULL || system.isOutOfSpace
                || code == csqlite_no_room_for_locks()
            guard isFull else {
                return Failure("\(path): \(message)\(system.rawValue == 0 ? "" : " (\(system))")")
            }
            return Failure(
                "\(path): there is no room left on its filesystem, or within a quota",
                advice: "Free some: mica rm, mica rmi, mica gc.",
                kind: .noSpace
            )
        default:
            return Failure("\(path): \(message) (SQLite error \(code)) in: \(sql)")
        }
    }
}
