/// Finds docker's Ctrl-P Ctrl-Q in what is typed.
struct DetachKeys {
    private static let first: UInt8 = 0x10
    private static let second: UInt8 = 0x11
    private var hasFirst = false

    /// What of `bytes` is for the program, and whether the two came, behind which nothing is. A first key waits for what
    /// comes next.
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
