import FoundationEssentials

/// A JSON object as its author wrote it, in which single members are replaced. All other bytes stay: order, indentation,
/// and numbers that no type here holds.
package struct JSONText {
    package private(set) var bytes: [UInt8]

    /// `bytes`: one JSON object in UTF-8, without a name that is there twice.
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Gives the member at `path` this value, a JSON text. Objects on the way are added where they are missing, or are
    /// something else.
    package mutating func set(_ path: [String], to value: [UInt8]) {
        set(path[...], in: start, depth: 1, to: value)
    }

    /// Takes the member at `path` away, if there is one.
    package mutating func remove(_ path: [String]) {
        var object = start
        var path = path[...]
        while let name = path.popFirst() {
            let members = members(of: object).members
            guard let number = members.firstIndex(where: { $0.name == name }) else { return }
            let member = members[number]
            if path.isEmpty {
                let next = members.indices.contains(number + 1) ? members[number + 1] : nil
                let before = number > 0 ? members[number - 1].value.upperBound : object + 1
                bytes.removeSubrange(
                    next.map { member.start..<$0.start } ?? before..<member.value.upperBound
                )
            }
            object = member.value.lowerBound
        }
    }

    /// The place of the outermost {.
    private var start: Int { bytes.firstIndex(of: UInt8(ascii: "{")) ?? bytes.endIndex }

    private mutating func set(_ path: ArraySlice<String>, in object: Int, depth: Int, to value: [UInt8]) {
        guard let name = path.first else { return }
        let rest = path.dropFirst()
        let (members, end) = members(of: object)
        if let member = members.first(where: { $0.name == name }) {
            if !rest.isEmpty, bytes[member.value.lowerBound] == UInt8(ascii: "{") {
                set(rest, in: member.value.lowerBound, depth: depth + 1, to: value)
            } else {
                bytes.replaceSubrange(member.value, with: JSONText.nested(rest, depth: depth, value))
            }
            return
        }
        let new = JSONText.member(name, JSONText.nested(rest, depth: depth, value))
        if let first = members.first, let last = members.last {
            // Set off as the first one is.
            let gap = bytes[object + 1..<first.start]
            bytes.insert(contentsOf: [UInt8(ascii: ",")] + gap + new, at: last.value.upperBound)
        } else if end > object {
            bytes.replaceSubrange(object + 1..<end, with: JSONText.lines(new, depth: depth))
        }
    }

    /// `value` below these names, each an object around the next.
    private static func nested(_ path: ArraySlice<String>, depth: Int, _ value: [UInt8]) -> [UInt8] {
        guard let name = path.first else { return value }
        let inner = nested(path.dropFirst(), depth: depth + 1, value)
        return [UInt8(ascii: "{")] + lines(member(name, inner), depth: depth + 1) + [UInt8(ascii: "}")]
    }

    private static func member(_ name: String, _ value: [UInt8]) -> [UInt8] {
        ((try? JSONDocument.encode(name)) ?? []) + Array(": ".utf8) + value
    }

    /// Lines of their own between braces, indented as docker does it.
    private static func lines(_ member: [UInt8], depth: Int) -> [UInt8] {
        let tab = UInt8(ascii: "\t")
        let end = UInt8(ascii: "\n")
        return [end] + Array(repeating: tab, count: depth) + member + [end]
            + Array(repeating: tab, count: depth - 1)
    }

    // MARK: - Reading

    private struct Member {
        let name: String
        /// Of the name's first quotation mark.
        let start: Int
        let value: Range<Int>
    }

    /// The members of the object that begins at `start`, and the place of its }.
    private func members(of start: Int) -> (members: [Member], end: Int) {
        var members: [Member] = []
        var place = start + 1
        guard place <= bytes.count, bytes[start] == UInt8(ascii: "{") else { return ([], start) }
        while place < bytes.count {
            skipBlanks(&place)
            guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else { break }
            let first = place
            skipValue(&place)
            let name = try? JSONDecoder().decode(String.self, from: Data(bytes[first..<place]))
            skipBlanks(&place)
            place += 1  // the colon
            skipBlanks(&place)
            let value = place
            skipValue(&place)
            guard let name, value < place else { break }
            members.append(Member(name: name, start: first, value: value..<place))
            skipBlanks(&place)
            guard place < bytes.count, bytes[place] == UInt8(ascii: ",") else { break }
            place += 1
        }
        return (members, min(place, bytes.count))
    }

    private func skipBlanks(_ place: inout Int) {
        while place < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[place]) { place += 1 }
    }

    private func skipValue(_ place: inout Int) {
        var depth = 0
        func isEnd(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") }
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                place += 1
                while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
                    place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
                }
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case let byte where isEnd(byte):
                if depth == 0 { return }
                depth -= 1
            case UInt8(ascii: ","), 0x20, 0x09, 0x0a, 0x0d: if depth == 0 { return }
            default: break
            }
            guard place < bytes.count else { break }
            let isClosing = bytes[place] == UInt8(ascii: "\"") || isEnd(bytes[place])
            place += 1
            if isClosing, depth == 0 { return }
        }
        place = bytes.count
    }
}
