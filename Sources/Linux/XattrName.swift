/// The name of an extended attribute: bytes, of which the kernel knows only the prefixes (`user.`). As `String`, two
/// names that are not UTF-8 could become one, and names that differ only in how an accent is composed would be
/// equal.
package struct XattrName: Hashable, Sendable, ExpressibleByStringLiteral {
    /// With the NUL at its end, for system calls.
    package let cString: [CChar]

    /// Without a NUL; one in it would end the name.
    package init(_ bytes: some Sequence<UInt8>) {
        cString = bytes.map { CChar(bitPattern: $0) } + [0]
    }

    package init(_ text: String) { self.init(text.utf8) }

    package init(stringLiteral text: StaticString) { self.init(text.withUTF8Buffer { Array($0) }) }

    private init(_ terminated: [CChar]) { cString = terminated }

    /// Without the NUL.
    package var bytes: [UInt8] { cString.dropLast().map { UInt8(bitPattern: $0) } }

    package func hasPrefix(_ prefix: XattrName) -> Bool { cString.starts(with: prefix.cString.dropLast()) }

    /// The rest of the name behind a prefix; nil where it has another one.
    package func dropping(_ prefix: XattrName) -> XattrName? {
        hasPrefix(prefix) ? XattrName(Array(cString.dropFirst(prefix.cString.count - 1))) : nil
    }

    package static func + (prefix: XattrName, rest: XattrName) -> XattrName {
        XattrName(prefix.cString.dropLast() + rest.cString)
    }

    /// The names in a list of listxattr(2), in which each ends in NUL.
    package static func names(in list: some Collection<UInt8>) -> [XattrName] {
        list.split(separator: 0).map { XattrName($0) }
    }
}

extension XattrName: Comparable, CustomStringConvertible {
    /// Ordered by bytes.
    package static func < (one: XattrName, other: XattrName) -> Bool {
        one.bytes.lexicographicallyPrecedes(other.bytes)
    }

    /// The name as text.
    package var description: String { String(decoding: bytes, as: UTF8.self) }
}
