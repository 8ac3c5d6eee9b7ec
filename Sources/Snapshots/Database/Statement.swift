import CSQLite
import Linux

/// A prepared statement. Belongs to its connection, which finalizes it.
struct Statement {
    let handle: OpaquePointer
    let sql: String

    func bind(_ values: [any SQLConvertible]) throws(Failure) {
        guard sqlite3_bind_parameter_count(handle) == CInt(values.count) else {
            throw Failure("\(values.count) values for the parameters of: \(sql)")
        }
        for (position, value) in values.enumerated() {
            let index = CInt(position + 1)
            let code =
                switch value.sqlValue {
                case .null: sqlite3_bind_null(handle, index)
                case .integer(let integer): sqlite3_bind_int64(handle, index, integer)
                case .text(let text):
                    sqlite3_bind_text(
                        handle,
                        index,
                        text,
                        CInt(clamping: text.utf8.count),
                        csqlite_transient()
                    )
                case .blob(let bytes):
                    // An empty array may have no address, and a null pointer would bind NULL.
                    bytes.isEmpty
                        ? sqlite3_bind_zeroblob(handle, index, 0)
                        : sqlite3_bind_blob(
                            handle,
                            index,
                            bytes,
                            CInt(clamping: bytes.count),
                            csqlite_transient()
                        )
                }
            guard code == SQLITE_OK else { throw Failure("value \(index) of \(sql): SQLite error \(code)") }
        }
    }

    /// Back to where it can be bound and stepped again. The error of the last step is not repeated.
    func reset() {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }
}

/// The current row of a statement: valid until the next step.
package struct Row {
    let statement: Statement

    package subscript<Value: SQLConvertible>(_ column: CInt) -> Value {
        get throws(Failure) {
            guard let value = Value(raw(column)) else {
                let name = sqlite3_column_name(statement.handle, column).map { String(cString: $0) } ?? "?"
                throw Failure(
                    "mica.db: column \(name) holds no \(Value.self)",
                    advice: "The database was changed by another program, or is damaged."
                )
            }
            return value
        }
    }

    private func raw(_ column: CInt) -> SQLValue {
        let handle = statement.handle
        switch sqlite3_column_type(handle, column) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(handle, column))
        case SQLITE_TEXT:
            guard let text = sqlite3_column_text(handle, column) else { return .null }
            let count = Int(sqlite3_column_bytes(handle, column))
            return .text(String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self))
        case SQLITE_BLOB:
            guard let start = sqlite3_column_blob(handle, column) else { return .blob([]) }
            let count = Int(sqlite3_column_bytes(handle, column))
            return .blob(Array(UnsafeRawBufferPointer(start: start, count: count)))
        default: return .null
        }
    }
}
