package import Linux

/// What an update does to a snapshot's labels. Nothing else of one can be changed.
package enum LabelChange: Sendable, Equatable {
    case replacingAll([String: String])
    /// nil: the label goes.
    case setting([String: String?])

    /// `paths`: of a field mask; none: all labels, as if they had been named. invalidArgument for any but `labels` and
    /// `labels.NAME`.
    package init(to labels: [String: String], paths: [String]) throws(Failure) {
        var single: [String: String?] = [:]
        var replacesAll = paths.isEmpty
        for path in paths {
            if path == "labels" {
                replacesAll = true
            } else if path.hasPrefix("labels."), path.utf8.count > 7 {
                let name = String(path.dropFirst(7))
                single.updateValue(labels[name].flatMap { $0.isEmpty ? nil : $0 }, forKey: name)
            } else {
                throw Failure(
                    "a snapshot's \(path) can't be changed: only labels and labels.NAME can",
                    kind: .invalidArgument
                )
            }
        }
        self = replacesAll ? .replacingAll(labels) : .setting(single)
    }

    func applied(to labels: [String: String]) -> [String: String] {
        switch self {
        case .replacingAll(let new): return new
        case .setting(let changes):
            var labels = labels
            for (name, value) in changes { labels[name] = value }
            return labels
        }
    }
}
