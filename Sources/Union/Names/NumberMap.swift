/// Values by inode number. A lookup is one multiplication and, as a rule, one probe, where a `Dictionary` would
/// compute a keyed hash. A user who picked colliding files would only slow down their own mount.
///
/// Open addressing with linear probing, at most three quarters full; removal shifts later entries back.
package struct NumberMap<Value> {
    private struct Slot {
        var number: UInt64
        /// Nil in a free slot.
        var value: Value?
    }

    private var slots: [Slot] = []
    private var count = 0
    /// 64 less the logarithm of the number of slots.
    private var shift: UInt64 = 64

    package init() {}

    /// The preferred slot of a number: Fibonacci hashing, which spreads neighbours.
    private func home(_ number: UInt64) -> Int { Int((number &* 0x9e37_79b9_7f4a_7c15) >> shift) }

    private func next(_ slot: Int) -> Int { (slot + 1) & (slots.count - 1) }

    /// The slot of a number, or the free one where it would go. Precondition: there are slots.
    private func slot(_ number: UInt64) -> Int {
        var slot = home(number)
        while slots[slot].value != nil, slots[slot].number != number { slot = next(slot) }
        return slot
    }

    package subscript(number: UInt64) -> Value? {
        get { count == 0 ? nil : slots[slot(number)].value }
        set {
            if let newValue {
                if (count + 1) * 4 > slots.count * 3 { grow() }
                let slot = slot(number)
                if slots[slot].value == nil { count += 1 }
                slots[slot] = Slot(number: number, value: newValue)
            } else if count > 0 {
                remove(slot(number))
            }
        }
    }

    /// In no order.
    package func forEach(_ body: (Value) -> Void) {
        for slot in slots { if let value = slot.value { body(value) } }
    }

    private mutating func grow() {
        let old = slots
        let size = max(8, old.count * 2)
        slots = Array(repeating: Slot(number: 0, value: nil), count: size)
        shift = 64 - UInt64(size.trailingZeroBitCount)
        for each in old where each.value != nil { slots[slot(each.number)] = each }
    }

    private mutating func remove(_ removed: Int) {
        guard slots[removed].value != nil else { return }
        count -= 1
        var free = removed
        var slot = next(free)
        while slots[slot].value != nil {
            // An entry may move to the free slot unless that is before its home.
            let distance = (slot - home(slots[slot].number)) & (slots.count - 1)
            if distance >= (slot - free) & (slots.count - 1) {
                slots[free] = slots[slot]
                free = slot
            }
            slot = next(slot)
        }
        slots[free].value = nil
    }
}
