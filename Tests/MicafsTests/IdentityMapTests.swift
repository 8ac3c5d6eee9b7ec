import Linux
import Mount
import Testing

@Suite(.timeLimit(.minutes(40))) struct `An identity map` {
    private func map(_ text: String) throws -> IdentityMap {
        try IdentityMap(parsing: text, for: "uidmapping")
    }

    @Test func `leaves every number alone when it has no range`() {
        let map = IdentityMap()
        for id: UInt32 in [0, 1000, 65534, .max] {
            #expect(map.shown(id) == id)
            #expect(map.stored(id) == id)
        }
    }

    @Test func `shows what is stored as others, and back`() throws {
        let map = try map("0:1000:1:1:110000:65536")
        for (stored, shown): (UInt32, UInt32?) in [
            (0, 1000), (1, 110_000), (65536, 175_535), (65537, nil), (1000, 110_999), (.max, nil),
        ] {
            #expect(map.shown(stored) == shown)
            if let shown { #expect(map.stored(shown) == stored) }
        }
        #expect(map.stored(0) == nil)
        #expect(map.stored(1001) == nil)
    }

    @Test func `reads colons at the ends, as podman writes them`() throws {
        #expect(try map(":0:100000:65536") == map("0:100000:65536"))
        #expect(try map("0:100000:65536:").ranges.count == 1)
    }

    @Test func `leaves what an idmapped lower shows already`() throws {
        let map = try map("0:100000:65536")
        #expect(map.shown(100_000) == 100_000)
        #expect(map.shown(101_000) == 101_000)
        #expect(map.shown(70_000) == nil)
    }

    @Test func `takes the first range that has a number`() throws {
        let map = try map("0:500:1:0:100:10")
        #expect(map.shown(0) == 500)
        #expect(map.shown(1) == 101)
    }

    @Test(arguments: [
        "", ":", "0", "0:1", "0:1:2:3", "a:1:1", "0:-1:1", "0:0:0", "4294967295:0:1", "0:4294967290:6",
        "0:0:4294967296", "0.5:1:1",
    ]) func `refuses what is no list of ranges`(text: String) {
        let failure = #expect(throws: Failure.self) { try map(text) }
        #expect(failure?.message.hasPrefix("uidmapping=\(text): ") == true)
    }
}
