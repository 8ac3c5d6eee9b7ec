/// Goes through the names of a directory, those of the lower and of the upper, in the order of listings.
package struct ListingCursor {
    package enum Source: Equatable {
        /// A slot of the lower directory. The upper may hide or replace that entry.
        case lower(UInt32)
        /// A position in the upper's listing. The lower may have the same name.
        case upper(UInt32)
    }

    private let lower: [NameOrder.Element]
    private let upper: [NameOrder.Element]
    private var lowerNext: Int
    private var upperNext: Int
    private let start: NamePosition
    /// The position of the name that was passed last.
    private var last: NamePosition?

    package init(lower: NameOrder, upper: NameOrder, from start: NamePosition) {
        self.lower = lower.elements
        self.upper = upper.elements
        self.start = start
        lowerNext = lower.first(start.key)
        upperNext = upper.first(start.key)
    }

    package mutating func next() -> (position: NamePosition, source: Source)? {
        while let (key, source) = step() {
            let rank = last?.key == key ? (last?.rank ?? 0) + 1 : 0
            let position = NamePosition(key: key, rank: rank)
            last = position
            if position >= start { return (position, source) }
        }
        return nil
    }

    private mutating func step() -> (key: UInt64, source: Source)? {
        let below = lowerNext < lower.count ? lower[lowerNext] : nil
        let above = upperNext < upper.count ? upper[upperNext] : nil
        if let below, below.key <= above?.key ?? .max {
            lowerNext += 1
            return (below.key, .lower(below.number))
        }
        guard let above else { return nil }
        upperNext += 1
        return (above.key, .upper(above.number))
    }
}
