/// Some of a directory's names, in the order of listings.
package struct NameOrder {
    package struct Element {
        /// See `NamePosition`.
        package let key: UInt64
        /// The number by which the name is found: a slot in the lower, or a position in a `Listing`.
        package let number: UInt32

        package init(key: UInt64, number: UInt32) {
            self.key = key
            self.number = number
        }

        static func isBefore(_ one: Element, _ other: Element) -> Bool {
            one.key != other.key ? one.key < other.key : one.number < other.number
        }
    }

    private(set) var elements: [Element] = []

    package init() {}

    package init(_ elements: [Element]) {
        self.elements = elements
        // Hashes spread keys evenly, so many elements are first put into buckets, of a few each.
        let bits = UInt64(Int.bitWidth - elements.count.leadingZeroBitCount)
        if bits > 9 { distribute(48 - (bits - 3)) } else { self.elements.sort(by: Element.isBefore) }
    }

    /// Sorts by the bits from `shift` up, then within each bucket.
    private mutating func distribute(_ shift: UInt64) {
        let unsorted = elements
        var ends = [Int](repeating: 0, count: 1 << Int(48 - shift))
        for element in unsorted { ends[Int(element.key >> shift)] += 1 }
        var end = 0
        for bucket in ends.indices {
            end += ends[bucket]
            ends[bucket] = end
        }
        var starts = ends
        elements.withUnsafeMutableBufferPointer { sorted in
            for element in unsorted {
                let bucket = Int(element.key >> shift)
                starts[bucket] -= 1
                sorted[starts[bucket]] = element
            }
            for bucket in ends.indices where ends[bucket] - starts[bucket] > 1 {
                var few = UnsafeMutableBufferPointer(rebasing: sorted[starts[bucket]..<ends[bucket]])
                few.sort(by: Element.isBefore)
            }
        }
    }

    /// The index of the first element with at least this key.
    func first(_ key: UInt64) -> Int {
        var low = 0
        var high = elements.count
        while low < high {
            let middle = (low + high) / 2
            if elements[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Adds elements, and leaves out those for which `isGone`.
    mutating func merge(_ added: [Element], without isGone: (UInt32) -> Bool) {
        let added = NameOrder(added).elements
        var merged: [Element] = []
        merged.reserveCapacity(elements.count + added.count)
        var next = 0
        for element in elements where !isGone(element.number) {
            while next < added.count, Element.isBefore(added[next], element) {
                merged.append(added[next])
                next += 1
            }
            merged.append(element)
        }
        merged.append(contentsOf: added[next...])
        elements = merged
    }
}
