import MountFixtures
import Testing

import Union

/// The tables that requests are looked up in, against the standard library's.
@Suite("The tables", .timeLimit(.minutes(40)))
struct TableTests {
    /// Few keys, so that each comes and goes often. The last stride is what the map multiplies by, inverted: its keys all
    /// belong at the end of the table, from where they go on at its start.
    @Test("a map of numbers does what a dictionary does", arguments: [1, 64, 1 << 32, 0xf1de_83e1_9937_733d])
    func numbers(stride: UInt64) {
        var generator = SeededGenerator(seed: 1)
        var map = NumberMap<Int>()
        var expected: [UInt64: Int] = [:]
        let keys = (1...300).map { (0 &- UInt64($0)) &* stride }
        for step in 0..<20_000 {
            let key = keys[Int.random(in: 0..<keys.count, using: &generator)]
            // Grows for a while, then shrinks.
            if Int.random(in: 0..<100, using: &generator) < (step / 4000 % 2 == 0 ? 70 : 30) {
                map[key] = step
                expected[key] = step
            } else {
                map[key] = nil
                expected[key] = nil
            }
            #expect(map[key] == expected[key])
            if step % 500 == 0 { #expect(keys.allSatisfy { map[$0] == expected[$0] }) }
        }
        #expect(keys.allSatisfy { map[$0] == expected[$0] })
        #expect(map[0] == nil)
    }

    /// With many equal hashes and many that differ in the upper bits only.
    @Test("a table of positions finds what was put in and not taken out", arguments: [3, 40, Int.max])
    func positions(hashes: Int) {
        var generator = SeededGenerator(seed: 1)
        var table = PositionTable()
        let hash = (0..<400).map { _ in
            Int.random(in: 0..<hashes, using: &generator) << (hashes == 40 ? 6 : 0)
        }
        var isIn = [Bool](repeating: false, count: hash.count)
        for step in 0..<20_000 {
            let position = Int.random(in: 0..<hash.count, using: &generator)
            let comes = Int.random(in: 0..<100, using: &generator) < (step / 4000 % 2 == 0 ? 70 : 30)
            if comes, !isIn[position] { table.insert(position, hash[position]) }
            if !comes, isIn[position] { table.remove(position, hash[position]) }
            isIn[position] = comes
            guard step % 200 == 0 else { continue }
            for each in hash.indices {
                #expect(table.find(hash[each]) { $0 == each } == (isIn[each] ? each : nil))
            }
        }
    }
}
