/// The text behind `-o`: options separated by commas, in bytes, because paths are bytes.
///
/// A backslash escapes the next byte, as in the kernel's overlayfs (`ovl_next_opt`, `ovl_unescape`). Two of them
/// before a colon do the same: with fuse-overlayfs, libfuse removes one and fuse-overlayfs the other.
enum OptionList {
    private static let backslash = UInt8(ascii: "\\")
    private static let colon = UInt8(ascii: ":")
    private static let comma = UInt8(ascii: ",")
    private static let quote = UInt8(ascii: "\"")
    /// Options whose value is quoted where it has commas, as SELinux's tools write them.
    static let contexts = ["context", "fscontext", "defcontext", "rootcontext"]

    /// The options, still escaped, without empty ones.
    static func split(_ text: [UInt8]) -> [[UInt8]] {
        var options: [[UInt8]] = []
        var current: [UInt8] = []
        var isQuoted = false
        var rest = text[...]
        while let byte = rest.popFirst() {
            if byte == backslash, let next = rest.popFirst() {
                current += [byte, next]
            } else if byte == quote, isQuoted || contexts.contains(where: { current == Array("\($0)=".utf8) })
            {
                isQuoted.toggle()
                current.append(byte)
            } else if byte == comma, !isQuoted {
                options.append(current)
                current = []
            } else {
                current.append(byte)
            }
        }
        return (options + [current]).filter { !$0.isEmpty }
    }

    /// The value without its escapes.
    static func unescaped(_ value: some Sequence<UInt8>) -> [UInt8] {
        pieces(of: value, separatedBy: nil)[0]
    }

    /// The paths of `lowerdir=`, topmost first. A leading or trailing colon adds none; two colons in the middle
    /// give an empty one.
    static func paths(_ value: some Sequence<UInt8>) -> [[UInt8]] {
        var paths = pieces(of: value, separatedBy: colon)
        if paths.first == [] { paths.removeFirst() }
        if paths.last == [] { paths.removeLast() }
        return paths
    }

    private static func pieces(of value: some Sequence<UInt8>, separatedBy separator: UInt8?) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var current: [UInt8] = []
        var backslashes = 0
        for byte in value {
            if byte == backslash {
                backslashes += 1
                continue
            }
            // A pair is one backslash; before a colon the last one or two only escape the colon.
            let kept = byte == colon ? (backslashes - 1) / 2 : backslashes / 2
            current += [UInt8](repeating: backslash, count: max(kept, 0))
            if byte == separator, backslashes == 0 {
                pieces.append(current)
                current = []
            } else {
                current.append(byte)
            }
            backslashes = 0
        }
        // At the end there is nothing left to escape.
        current += [UInt8](repeating: backslash, count: (backslashes + 1) / 2)
        return pieces + [current]
    }
}
