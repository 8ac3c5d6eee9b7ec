extension Instruction.MountFlag {
    /// `512`, `64k`, `1.5g`, `10 MiB`: in bytes, with units of 1024.
    static func size(_ text: String) -> Int64? {
        var rest = text.lowercased()[...]
        if rest.hasSuffix("b") { rest.removeLast() }
        if rest.hasSuffix("i") {
            rest.removeLast()
            guard rest.last.map({ "kmgtp".contains($0) }) == true else { return nil }
        }
        var factor: Double = 1
        if let unit = rest.last, let power = Array("kmgtp").firstIndex(of: unit) {
            for _ in 0...power { factor *= 1024 }
            rest.removeLast()
        }
        if rest.hasSuffix(" ") { rest.removeLast() }
        let isNumeric = rest.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
        guard isNumeric, let number = Double(rest), number * factor < 9e18 else { return nil }
        return Int64(number * factor)
    }

    /// A path without `.`, `..` and repeated slashes, as Go's path.Clean makes it.
    static func cleaned(_ path: String) -> String {
        String(decoding: CleanPath.of(Array(path.utf8)), as: UTF8.self)
    }

    static func lastPart(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? (path.isEmpty ? "." : "/")
    }
}
