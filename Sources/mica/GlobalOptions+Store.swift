import Snapshots

extension GlobalOptions {
    /// The store, created where it is missing.
    func store() throws -> Store { try Store.open(layout) }
}
