import Testing

/// Expects the tree at `mine` to be the one at `theirs`, and to be in order.
///
/// - Parameter now: times from then on are those of changes, and not compared.
func expectSame(
    _ mine: String,
    as theirs: String,
    now: Int = .max,
    _ what: String,
    location: SourceLocation = #_sourceLocation
) throws {
    let mine = try Tree(at: mine, now: now)
    let differences = try mine.differences(from: Tree(at: theirs, now: now))
    #expect(
        differences == [],
        "\(what):\n\(differences.joined(separator: "\n"))",
        sourceLocation: location
    )
    #expect(mine.oddities == [], "\(what)", sourceLocation: location)
}
