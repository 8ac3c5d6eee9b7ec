/// Finds docker's Ctrl-P Ctrl-Q in the input.
struct DetachKeys {
    private static let first: UInt8 = 0x10
    private static let second: UInt8 = 0x11
    private var hasFirst = false

    /// The part of `bytes` that is for the program, and whether the two keys came, after which nothing is passed. A
    /// Ctrl-P is held back until the next key.
    mutating func pass(_ bytes: UnsafeRawBufferPointer) -> (rest: [UInt8], isDetaching: Bool) {
        var rest: [UInt8] = []
        for byte in bytes {
            if hasFirst {
                hasFirst = false
                if byte == DetachKeys.second { return (rest, true) }
                rest.append(DetachKeys.first)
            }
            if byte == DetachKeys.first { hasFirst = true } else { rest.append(byte) }
        }
        return (rest, false)
    }
}
