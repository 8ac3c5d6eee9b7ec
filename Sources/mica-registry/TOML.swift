import Linux

/// A document of TOML: as much of it as configurations of registries have. What else there is, is refused by its line: to
/// read past it could be to miss that something is forbidden.
struct TOML {
    struct Value {
        enum Kind {
            case text(String)
            case truth(Bool)
            case number(Int)
            case list([Value])
            case table([String: Value])
        }
        var kind: Kind
        /// Where it begins.
        var line: Int
    }

    private let name: String
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var line = 1

    /// `name`: of the file, for messages.
    static func read(_ text: String, name: String) throws -> [String: Value] {
        var reader = TOML(name: name, text)
        return try reader.document()
    }

    private init(name: String, _ text: String) {
        self.name = name
        scalars = Array(text.unicodeScalars)
    }

    private func failure(_ why: String) -> Failure { Failure("\(name), line \(line): \(why)") }

    // MARK: - Scalars

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func take() -> Unicode.Scalar? {
        guard let scalar = next else { return nil }
        position += 1
        if scalar == "\n" { line += 1 }
        return scalar
    }

    private mutating func take(_ expected: Unicode.Scalar) -> Bool {
        guard next == expected else { return false }
        _ = take()
        return true
    }

    /// Blanks; `lines`: line ends and comments, too.
    private mutating func skip(lines: Bool) {
        while let scalar = next {
            if scalar == " " || scalar == "\t" || lines && (scalar == "\n" || scalar == "\r") {
                _ = take()
            } else if lines, scalar == "#" {
                while let scalar = next, scalar != "\n" { _ = take() }
            } else {
                return
            }
        }
    }

    private mutating func endLine() throws {
        skip(lines: false)
        if next == "#" { while let scalar = next, scalar != "\n" { _ = take() } }
        _ = take("\r")
        guard next == nil || take("\n") else { throw failure("something follows on the same line") }
    }

    // MARK: - Tables

    private mutating func document() throws -> [String: Value] {
        var root: [String: Value] = [:]
        var path: [String] = []
        while true {
            skip(lines: true)
            guard next != nil else { return root }
            guard take("[") else {
                let (key, value) = try member()
                try change(&root, path[...]) { table in
                    guard table[key] == nil else { throw failure("\(key) is there twice") }
                    table[key] = value
                }
                try endLine()
                continue
            }
            let line = line
            let isList = take("[")
            path = try keys()
            guard take("]"), !isList || take("]") else { throw failure("] is missing") }
            guard let last = path.last else { throw failure("a table has no name") }
            let empty = Value(kind: .table([:]), line: line)
            try change(&root, path.dropLast()) { table in
                if isList {
                    guard let list = table[last].map(\.list) ?? [] else {
                        throw failure("\(last) is no list")
                    }
                    table[last] = Value(kind: .list(list + [empty]), line: line)
                } else if table[last] == nil {
                    table[last] = empty
                }
            }
            try endLine()
        }
    }

    /// Of a list of tables the last one is meant.
    private func change(
        _ table: inout [String: Value],
        _ path: ArraySlice<String>,
        _ body: (inout [String: Value]) throws -> Void
    ) throws {
        guard let first = path.first else { return try body(&table) }
        let known = table[first] ?? Value(kind: .table([:]), line: line)
        var list = known.list ?? []
        guard let value = known.list == nil ? known : list.popLast(), var inner = value.table else {
            throw failure("\(first) is no table")
        }
        try change(&inner, path.dropFirst(), body)
        let changed = Value(kind: .table(inner), line: value.line)
        table[first] = known.list == nil ? changed : Value(kind: .list(list + [changed]), line: known.line)
    }

    private mutating func keys() throws -> [String] {
        var keys: [String] = []
        repeat {
            skip(lines: false)
            keys.append(try key())
            skip(lines: false)
        } while take(".")
        return keys
    }

    private mutating func key() throws -> String {
        if next == "\"" || next == "'" { return try text() }
        var key = String.UnicodeScalarView()
        while let scalar = next, scalar.isASCII,
            scalar.properties.isAlphabetic || "0123456789-_".unicodeScalars.contains(scalar)
        {
            key.append(scalar)
            _ = take()
        }
        guard !key.isEmpty else { throw failure("a name is missing") }
        return String(key)
    }

    // MARK: - Values

    private mutating func member() throws -> (String, Value) {
        let key = try key()
        skip(lines: false)
        guard take("=") else { throw failure("= is missing after \(key)") }
        skip(lines: false)
        return (key, try value())
    }

    private mutating func value() throws -> Value {
        let line = line
        return Value(kind: try kind(), line: line)
    }

    private mutating func kind() throws -> Value.Kind {
        switch next {
        case "\"", "'": return .text(try text())
        case "[":
            return .list(try sequence(from: "[", to: "]") { reader in try reader.value() })
        case "{":
            let members = try sequence(from: "{", to: "}") { reader in try reader.member() }
            return .table(Dictionary(members) { first, _ in first })
        default:
            var word = String.UnicodeScalarView()
            while let scalar = next, scalar.isASCII,
                scalar.properties.isAlphabetic || "0123456789-+_".unicodeScalars.contains(scalar)
            {
                word.append(scalar)
                _ = take()
            }
            switch String(word) {
            case "true": return .truth(true)
            case "false": return .truth(false)
            case let digits:
                guard let number = Int(digits) else {
                    throw failure("\(digits) is no value that is known here")
                }
                return .number(number)
            }
        }
    }

    private mutating func sequence<Element>(
        from start: Unicode.Scalar,
        to end: Unicode.Scalar,
        _ element: (inout TOML) throws -> Element
    ) throws -> [Element] {
        guard take(start) else { throw failure("\(start) is missing") }
        var elements: [Element] = []
        while true {
            skip(lines: true)
            if take(end) { return elements }
            elements.append(try element(&self))
            skip(lines: true)
            guard take(",") || next == end else { throw failure("\(end) is missing") }
        }
    }

    /// Of one line.
    private mutating func text() throws -> String {
        guard let quote = take() else { throw failure("a text is missing") }
        var text = String.UnicodeScalarView()
        while let scalar = take() {
            if scalar == quote { return String(text) }
            guard scalar != "\n" else { break }
            guard scalar == "\\", quote == "\"" else {
                text.append(scalar)
                continue
            }
            switch take() {
            case "\\": text.append("\\")
            case "\"": text.append("\"")
            case "n": text.append("\n")
            case "t": text.append("\t")
            default: throw failure("an escape in a text that is not known here")
            }
        }
        throw failure("a text does not end")
    }
}

extension TOML.Value {
    var text: String? { if case .text(let text) = kind { text } else { nil } }
    var truth: Bool? { if case .truth(let truth) = kind { truth } else { nil } }
    var list: [TOML.Value]? { if case .list(let list) = kind { list } else { nil } }
    var table: [String: TOML.Value]? { if case .table(let table) = kind { table } else { nil } }
}
