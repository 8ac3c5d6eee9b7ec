/// A `--chmod` of `COPY` and `ADD`, expanded: `0644`, or as chmod(1) takes it, `u=rwX,go=rX`.
package struct FileMode: Sendable, Equatable {
    private enum Change: Sendable, Equatable {
        case absolute(UInt32)
        case symbolic(who: UInt32, clauses: [Clause])
    }

    fileprivate struct Clause: Sendable, Equatable {
        let action: Unicode.Scalar
        /// For all three; what concerns whom is cut out afterwards.
        var bits: UInt32 = 0
        var hasConditionalExecution = false
        /// `g=u`: whose bits are copied.
        var copied: Unicode.Scalar?
    }

    private let changes: [Change]

    /// Throws an error without a place.
    package init(_ text: String) throws(DockerfileError) {
        if let mode = UInt32(text, radix: 8), text.utf8.first.map({ (0x30...0x39).contains($0) }) == true {
            guard mode <= 0o7777 else { throw FileMode.invalid(text) }
            changes = [.absolute(mode)]
            return
        }
        var changes: [Change] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let change = FileMode.symbolic(part) else { throw FileMode.invalid(text) }
            changes.append(change)
        }
        self.changes = changes
    }

    private static func invalid(_ text: String) -> DockerfileError {
        DockerfileError(
            "invalid chmod parameter: '\(text)'. it should be octal string and between 0 and 07777, or like u=rwX,go=rX"
        )
    }

    private static func symbolic(_ text: Substring) -> Change? {
        var rest = text.unicodeScalars[...]
        var who: UInt32 = 0
        while let scalar = rest.first, let bits = mask(of: scalar) {
            who |= bits
            rest.removeFirst()
        }
        if who == 0 { who = 0o7777 }
        var clauses: [Clause] = []
        while let action = rest.popFirst() {
            guard action == "+" || action == "-" || action == "=" else { return nil }
            var clause = Clause(action: action)
            while let scalar = rest.first, !"+-=".unicodeScalars.contains(scalar) {
                rest.removeFirst()
                switch scalar {
                case "r": clause.bits |= 0o444
                case "w": clause.bits |= 0o222
                case "x": clause.bits |= 0o111
                case "X": clause.hasConditionalExecution = true
                case "s": clause.bits |= 0o6000
                case "t": clause.bits |= 0o1000
                case "u", "g", "o":
                    guard clause.copied == nil else { return nil }
                    clause.copied = scalar
                default: return nil
                }
            }
            clauses.append(clause)
        }
        return clauses.isEmpty ? nil : .symbolic(who: who, clauses: clauses)
    }

    private static func mask(of who: Unicode.Scalar) -> UInt32? {
        switch who {
        case "u": 0o4700
        case "g": 0o2070
        case "o": 0o1007
        case "a": 0o7777
        default: nil
        }
    }

    /// `mode`: the permissions so far, without the type.
    package func apply(to mode: UInt32, isDirectory: Bool) -> UInt32 {
        var mode = mode & 0o7777
        for change in changes {
            switch change {
            case .absolute(let value): mode = value
            case .symbolic(let who, let clauses):
                for clause in clauses { mode = clause.apply(to: mode, who, isDirectory) }
            }
        }
        return mode
    }
}

extension FileMode.Clause {
    fileprivate func apply(to mode: UInt32, _ who: UInt32, _ isDirectory: Bool) -> UInt32 {
        var bits = bits
        if hasConditionalExecution, isDirectory || mode & 0o111 != 0 { bits |= 0o111 }
        if let copied {
            let one = mode >> (copied == "u" ? 6 : copied == "g" ? 3 : 0) & 0o7
            bits |= one << 6 | one << 3 | one
        }
        bits &= who
        switch action {
        case "+": return mode | bits
        case "-": return mode & ~bits
        default: return mode & ~who | bits
        }
    }
}
