/// The word that was perhaps meant: the nearest one, if at most two letters differ.
enum Suggestion {
    /// ` (did you mean FROM?)`, or nothing. Without regard to case, the answer has the case of `word`.
    static func text(for word: String, among options: [String], ignoringCase: Bool = false) -> String {
        nearest(to: word, among: options, ignoringCase: ignoringCase).map { " (did you mean \($0)?)" } ?? ""
    }

    private static func nearest(to word: String, among options: [String], ignoringCase: Bool) -> String? {
        guard word.utf8.count <= 100 else { return nil }
        let sought = Array((ignoringCase ? word.lowercased() : word).unicodeScalars)
        var best: (option: String, distance: Int)?
        for option in options {
            let candidate = ignoringCase ? option.lowercased() : option
            let distance = distance(sought, Array(candidate.unicodeScalars))
            // The word itself is there: it is not what is wrong.
            if distance == 0 { return nil }
            if distance < best?.distance ?? 3 { best = (candidate, distance) }
        }
        guard let best else { return nil }
        return ignoringCase && word == word.uppercased() ? best.option.uppercased() : best.option
    }

    /// How many letters have to be added, removed or replaced.
    private static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        var above = Array(0...right.count)
        for (row, scalar) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                let replaced = above[column] + (scalar == other ? 0 : 1)
                current.append(min(replaced, above[column + 1] + 1, current[column] + 1))
            }
            above = current
        }
        return above[right.count]
    }
}
