/// Positions in an array, by the hash of the element. Open addressing with linear probing, at most three quarters
/// full; removal shifts later entries back, so no tombstones are left.
package struct PositionTable {
    private struct Slot {
        /// The lower half of the hash, which gives the slot in any table of up to 2^32.
        var hash: UInt32
        /// One more than the position; 0 in a free slot.
        var number: UInt32
    }

    private var slots: [Slot] = []
    private var count = 0

    package init() {}

    private func next(_ slot: Int) -> Int { (slot + 1) & (slots.count - 1) }

    private func home(_ hash: UInt32) -> Int { Int(hash) & (slots.count - 1) }

    /// The position that was inserted with this hash and for which `isIt` is true.
    @inline(__always)
    package func find(_ hash: Int, _ isIt: (Int) -> Bool) -> Int? {
        guard count > 0 else { return nil }
        let hash = UInt32(truncatingIfNeeded: hash)
        var slot = home(hash)
        while slots[slot].number != 0 {
            if slots[slot].hash == hash, isIt(Int(slots[slot].number) - 1) {
                return Int(slots[slot].number) - 1
            }
            slot = next(slot)
        }
        return nil
    }

    /// Precondition: the position is not in the table.
    package mutating func insert(_ position: Int, _ hash: Int) {
        if (count + 1) * 4 > slots.count * 3 { grow() }
        put(Slot(hash: UInt32(truncatingIfNeeded: hash), number: UInt32(position + 1)))
        count += 1
    }

    private mutating func put(_ new: Slot) {
        var slot = home(new.hash)
        while slots[slot].number != 0 { slot = next(slot) }
        slots[slot] = new
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(hash: 0, number: 0), count: max(8, old.count * 2))
        for slot in old where slot.number != 0 { put(slot) }
    }

    /// Precondition: the position is in the table.
    package mutating func remove(_ position: Int, _ hash: Int) {
        var free = home(UInt32(truncatingIfNeeded: hash))
        while slots[free].number != UInt32(position + 1) { free = next(free) }
        count -= 1
        var slot = next(free)
        while slots[slot].number != 0 {
            // An entry may move to the free slot unless that is before its home.
            if (slot - home(slots[slot].hash)) & (slots.count - 1) >= (slot - free) & (slots.count - 1) {
                slots[free] = slots[slot]
                free = slot
            }
            slot = next(slot)
        }
        slots[free].number = 0
    }
}
