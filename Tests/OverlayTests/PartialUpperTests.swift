import Glibc
import Linux
import Overlay
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40)))
struct `A partial file of an upper` {
    /// What the lower has, of which `size` bytes are read.
    private static func readLower(_ buffer: UnsafeMutableRawBufferPointer, _ offset: UInt64) -> Int {
        buffer.initializeMemory(as: UInt8.self, repeating: UInt8(ascii: "l"))
        return buffer.count
    }

    @Test(arguments: [nil, 300_000 as UInt64, 0])
    func `has its own data, the lower's in holes below the limit, and zeros behind it`(limit: UInt64?) throws
    {
        let directory = try TestDirectory()
        let name = try directory.add("file", "", ["metacopy": [UInt8(ascii: "p")]])
        let file = try OwnedFD.open(directory.path.appending("file"), O_RDWR)
        try file.truncate(to: 1 << 20)
        let own = [UInt8](repeating: UInt8(ascii: "u"), count: 1 << 16)
        try own.withUnsafeBytes { try file.writeAll($0, at: 1 << 17) }
        if let limit { try OverlayMarks.user.setLimit(limit, of: file) }
        guard case .partial(let mark) = try OverlayMarks.user.data(name, in: directory.open()) else {
            Issue.record("it is not partial")
            return
        }
        #expect(mark.limit == limit)
        let partial = try PartialUpper(OpenFile(file), [.user])
        // Of the lower there are fewer bytes than of the file.
        let (size, end) = (UInt64(700_000), min(700_000, limit ?? .max))
        var found = [UInt8](repeating: 0, count: (1 << 20) + 1)
        let count = try found.withUnsafeMutableBytes {
            try partial.read(into: $0, at: 0, over: size, Self.readLower)
        }
        #expect(count == 1 << 20)
        let expected = (0..<1 << 20).map { position -> UInt8 in
            if position >> 16 == 2 { return UInt8(ascii: "u") }
            return UInt64(position) < end ? UInt8(ascii: "l") : 0
        }
        #expect(found[..<count].elementsEqual(expected))
    }
}
