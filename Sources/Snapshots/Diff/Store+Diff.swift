package import Changes

import Linux

extension Store {
    /// What a container, or an active snapshot, changed in its image; in path order.
    package func diff(_ name: String, report: @escaping (Change) throws -> Void) throws {
        let subject = try subject(named: name, hasUpper: true)
        guard subject.upper != nil else {
            throw Failure(
                "\(name) is neither a container nor an active snapshot: say what to compare it with",
                advice: "mica diff OTHER \(name)",
                kind: .failedPrecondition
            )
        }
        let below = Subject(name: name, layers: subject.below, upper: nil, image: nil)
        try compare(below, subject, report)
    }

    /// What `new` has otherwise than `old`: images, snapshots and containers in any mixture.
    package func diff(_ old: String, _ new: String, report: @escaping (Change) throws -> Void) throws {
        try compare(subject(named: old), subject(named: new), report)
    }

    private func compare(_ old: Subject, _ new: Subject, _ report: @escaping (Change) throws -> Void) throws {
        // So that the collector takes nothing away that is being read.
        let lock = try lockForChange()
        do {
            let newTree = try new.tree(layout)
            let oldTree = try old.tree(layout)
            var diff = TreeDiff(from: oldTree, to: newTree, report: report)
            try diff.run()
        } catch let error as FSError {
            throw Failure("compare \(old.name) with \(new.name): the store is damaged (\(error))")
        }
        _ = consume lock
    }
}
