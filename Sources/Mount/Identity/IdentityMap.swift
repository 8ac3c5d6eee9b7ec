import Linux

/// Maps the IDs of users, or of groups, in the layers to those that a mount shows, and back, by ranges, of which the
/// first that matches counts. Without ranges every ID maps to itself.
package struct IdentityMap: Sendable, Equatable {
    /// The `count` IDs from `stored` on, which are in the layers, are shown as those from `shown` on.
    package struct Range: Sendable, Equatable {
        package let stored: UInt32
        package let shown: UInt32
        package let count: UInt32
    }

    package let ranges: [Range]

    package init() { ranges = [] }

    /// `text`: "stored:shown:count" for each range, with colons between the ranges; further colons are ignored.
    /// `option` names it in the Failure thrown for anything else.
    package init(parsing text: String, for option: String) throws {
        let fields = text.split(separator: ":")
        let numbers = fields.compactMap { UInt32($0) }
        guard numbers.count == fields.count, !fields.isEmpty, fields.count.isMultiple(of: 3) else {
            throw Failure("\(option)=\(text): expected STORED:SHOWN:COUNT, once or more", exitCode: 2)
        }
        ranges = try stride(from: 0, to: numbers.count, by: 3).map { first in
            let range = Range(stored: numbers[first], shown: numbers[first + 1], count: numbers[first + 2])
            // 2^32-1 is no ID: it means "leave it" to chown(2).
            let last = UInt64(max(range.stored, range.shown)) + UInt64(range.count)
            guard range.count > 0, last <= UInt64(UInt32.max) else {
                throw Failure("\(option)=\(text): \(range.count) numbers are none, or too many", exitCode: 2)
            }
            return range
        }
    }

    package var isIdentity: Bool { ranges.isEmpty }

    /// The ID that the mount shows for one of the layers; nil where there is none.
    ///
    /// An ID that is not in the layers' ranges, but in the shown ones, maps to itself: podman passes lowers through
    /// idmapped mounts, which have the shown IDs, together with the mapping.
    package func shown(_ id: UInt32) -> UInt32? {
        guard !isIdentity else { return id }
        for range in ranges where id >= range.stored && id - range.stored < range.count {
            return range.shown + (id - range.stored)
        }
        return stored(id) == nil ? nil : id
    }

    /// The ID that the layers have for one that the mount shows; nil where there is none.
    package func stored(_ id: UInt32) -> UInt32? {
        guard !isIdentity else { return id }
        for range in ranges where id >= range.shown && id - range.shown < range.count {
            return range.stored + (id - range.shown)
        }
        return nil
    }
}
