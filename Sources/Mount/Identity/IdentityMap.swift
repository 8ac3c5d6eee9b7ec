import Linux

/// How the numbers of users, or of groups, in the layers become those that a mount shows, and back: ranges, of
/// which the first that has a number counts. Without a range every number is itself.
package struct IdentityMap: Sendable, Equatable {
    /// `count` numbers from `stored` on, which are in the layers, are shown as those from `shown` on.
    package struct Range: Sendable, Equatable {
        package let stored: UInt32
        package let shown: UInt32
        package let count: UInt32
    }

    package let ranges: [Range]

    package init() { ranges = [] }

    /// `text`: "stored:shown:count", as many of them as there are ranges, with colons between; further colons
    /// are overlooked. `option` names it in the Failure thrown for anything else.
    package init(parsing text: String, for option: String) throws {
        let fields = text.split(separator: ":")
        let numbers = fields.compactMap { UInt32($0) }
        guard numbers.count == fields.count, !fields.isEmpty, fields.count.isMultiple(of: 3) else {
            throw Failure("\(option)=\(text): expected STORED:SHOWN:COUNT, once or more", exitCode: 2)
        }
        ranges = try stride(from: 0, to: numbers.count, by: 3).map { first in
            let range = Range(stored: numbers[first], shown: numbers[first + 1], count: numbers[first + 2])
            // 2^32-1 is no one's: it means "leave it" to chown(2).
            let last = UInt64(max(range.stored, range.shown)) + UInt64(range.count)
            guard range.count > 0, last <= UInt64(UInt32.max) else {
                throw Failure("\(option)=\(text): \(range.count) numbers are none, or too many", exitCode: 2)
            }
            return range
        }
    }

    package var isIdentity: Bool { ranges.isEmpty }

    /// What the mount shows for a number of the layers; nil where nothing is said of it.
    ///
    /// A number that is none of the layers', but one that is shown, is itself: podman gives lowers through idmapped
    /// mounts, with the shown numbers, and the mapping as well.
    package func shown(_ id: UInt32) -> UInt32? {
        guard !isIdentity else { return id }
        for range in ranges where id >= range.stored && id - range.stored < range.count {
            return range.shown + (id - range.stored)
        }
        return stored(id) == nil ? nil : id
    }

    /// What the layers have for a number that the mount shows; nil where nothing is said of it.
    package func stored(_ id: UInt32) -> UInt32? {
        guard !isIdentity else { return id }
        for range in ranges where id >= range.shown && id - range.shown < range.count {
            return range.stored + (id - range.shown)
        }
        return nil
    }
}
