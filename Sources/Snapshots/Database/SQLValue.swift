import CSQLite
package import OCI

/// What SQLite stores: the four types the schema uses (all tables are STRICT).
package enum SQLValue: Sendable {
    case null
    case integer(Int64)
    case text(String)
    case blob([UInt8])
}

/// A Swift value that has a column type of its own.
package protocol SQLConvertible {
    var sqlValue: SQLValue { get }
    /// nil when the column holds another type, or a value that is none of this type's.
    init?(_ value: SQLValue)
}

extension Int64: SQLConvertible {
    package var sqlValue: SQLValue { .integer(self) }

    package init?(_ value: SQLValue) {
        guard case .integer(let integer) = value else { return nil }
        self = integer
    }
}

extension UInt64: SQLConvertible {
    // Sizes: no file is larger than Int64.max, and a number that would be is stored as that.
    package var sqlValue: SQLValue { .integer(Int64(clamping: self)) }

    package init?(_ value: SQLValue) {
        guard case .integer(let integer) = value else { return nil }
        self.init(exactly: integer)
    }
}

extension Bool: SQLConvertible {
    package var sqlValue: SQLValue { .integer(self ? 1 : 0) }

    package init?(_ value: SQLValue) {
        guard case .integer(let integer) = value else { return nil }
        self = integer != 0
    }
}

extension String: SQLConvertible {
    package var sqlValue: SQLValue { .text(self) }

    package init?(_ value: SQLValue) {
        guard case .text(let text) = value else { return nil }
        self = text
    }
}

extension [UInt8]: SQLConvertible {
    package var sqlValue: SQLValue { .blob(self) }

    package init?(_ value: SQLValue) {
        guard case .blob(let bytes) = value else { return nil }
        self = bytes
    }
}

extension Digest: SQLConvertible {
    package var sqlValue: SQLValue { .blob(bytes) }

    package init?(_ value: SQLValue) {
        guard case .blob(let bytes) = value else { return nil }
        guard let digest = bytes.withUnsafeBytes({ Digest(bytes: $0) }) else { return nil }
        self = digest
    }
}

extension Optional: SQLConvertible where Wrapped: SQLConvertible {
    package var sqlValue: SQLValue { self?.sqlValue ?? .null }

    package init?(_ value: SQLValue) {
        if case .null = value {
            self = Optional<Wrapped>.none
        } else {
            guard let wrapped = Wrapped(value) else { return nil }
            self = Optional<Wrapped>.some(wrapped)
        }
    }
}
