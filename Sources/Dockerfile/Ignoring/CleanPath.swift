/// Paths without `.`, repeated slashes and, where that is possible, `..`: by names alone, without a look at links.
package enum CleanPath {
    /// `.` for an empty path. A relative path keeps the `..` at its beginning, an absolute one has none.
    package static func of(_ path: [UInt8]) -> [UInt8] {
        let isAbsolute = path.first == UInt8(ascii: "/")
        var parts: [ArraySlice<UInt8>] = []
        for part in path.split(separator: UInt8(ascii: "/")) where part != [UInt8(ascii: ".")] {
            if part.elementsEqual("..".utf8) {
                if let last = parts.last, !last.elementsEqual("..".utf8) {
                    parts.removeLast()
                    continue
                }
                if isAbsolute { continue }
            }
            parts.append(part)
        }
        let joined = Array(parts.joined(separator: [UInt8(ascii: "/")]))
        if isAbsolute { return [UInt8(ascii: "/")] + joined }
        return joined.isEmpty ? [UInt8(ascii: ".")] : joined
    }
}
