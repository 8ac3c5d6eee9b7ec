import ArgumentParser

/// `logs --tail`: a number, or `all`.
struct LineCount: ExpressibleByArgument {
    /// nil: all of them.
    let limit: Int?

    init?(argument: String) {
        limit = Int(argument)
        guard argument == "all" || (limit.map { $0 >= 0 } ?? false) else { return nil }
    }
}
