/// Variables with their values, in the order in which their names came up.
package struct Variables: Sendable, Equatable {
    private var positions: [String: Int] = [:]
    private var entries: [(name: String, value: String)] = []
    /// Of all names and values, in bytes.
    private(set) var size = 0

    package init() {}

    /// `environment`: `NAME=value` each; of a name that is there twice, the last one counts, as it does for BuildKit.
    package init(environment: [String]) {
        for entry in environment {
            let (name, value) = entry.cutAtEquals
            self[name] = value ?? ""
        }
    }

    /// Setting nil removes the variable.
    package subscript(name: String) -> String? {
        get { positions[name].map { entries[$0].value } }
        set {
            guard let newValue else {
                guard let position = positions.removeValue(forKey: name) else { return }
                let removed = entries.remove(at: position)
                size -= removed.name.utf8.count + removed.value.utf8.count
                for (other, place) in positions where place > position { positions[other] = place - 1 }
                return
            }
            size += newValue.utf8.count
            if let position = positions[name] {
                size -= entries[position].value.utf8.count
                entries[position].value = newValue
            } else {
                size += name.utf8.count
                positions[name] = entries.count
                entries.append((name, newValue))
            }
        }
    }

    package var names: [String] { entries.map(\.name) }

    /// `NAME=value` each.
    package var environment: [String] { entries.map { "\($0.name)=\($0.value)" } }

    package static func == (left: Variables, right: Variables) -> Bool {
        left.environment == right.environment
    }
}
