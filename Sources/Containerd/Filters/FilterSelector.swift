import Snapshots

/// One condition of a filter.
struct FilterSelector {
    enum Condition {
        case isPresent
        case equals(String)
        case differs(String)
        case matches(Regex<AnyRegexOutput>)
    }

    /// `["labels", "containerd.io/snapshot.ref"]`
    let field: [String]
    let condition: Condition

    func holds(for info: SnapshotInfo) -> Bool {
        let value = value(in: info)
        switch condition {
        case .isPresent: return value != nil
        case .equals(let wanted): return value == wanted
        // What is not there differs from everything but nothing, and an expression is tried on nothing.
        case .differs(let other): return (value ?? "") != other
        case .matches(let expression): return (try? expression.firstMatch(in: value ?? "")) != nil
        }
    }

    private func value(in info: SnapshotInfo) -> String? {
        switch field.first {
        case "name": info.name
        case "parent": info.parent
        case "kind": info.kind.name
        // A dot in a label's name need not be quoted.
        case "labels": info.labels[field.dropFirst().joined(separator: ".")]
        default: nil
        }
    }
}
