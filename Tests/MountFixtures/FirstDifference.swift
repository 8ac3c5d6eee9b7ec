/// What is wrong with bytes that should be others, at the first place where they are; nil where they are the same.
///
/// For more than a few, instead of comparing them in #expect, which computes the least difference of collections when
/// they are not equal: of a megabyte that takes hours.
package func firstDifference(
    _ found: some Collection<UInt8>,
    from expected: some Collection<UInt8>
) -> String? {
    var offset = 0
    for (one, other) in zip(found, expected) {
        if one != other { return "byte \(offset) of \(found.count) is \(one), not \(other)" }
        offset += 1
    }
    return found.count == expected.count ? nil : "\(found.count) bytes, not \(expected.count)"
}
