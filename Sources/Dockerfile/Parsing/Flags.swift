/// The flags of an instruction, checked against those that it knows.
struct Flags {
    enum Kind {
        /// `--link`, `--link=false`.
        case bool
        case text
        /// May be given several times.
        case texts
    }

    private var values: [String: [String]] = [:]

    init(_ flags: [String], known: [String: Kind] = [:]) throws(DockerfileError) {
        for flag in flags {
            let (written, given) = flag.cutAtEquals
            let name = String(written.dropFirst(2))
            guard let kind = known[name] else {
                let hint = Suggestion.text(for: name, among: known.keys.sorted())
                throw DockerfileError("unknown flag: --\(name)\(hint)")
            }
            guard kind == .texts || values[name] == nil else {
                throw DockerfileError("duplicate flag specified: --\(name)")
            }
            guard given != nil || kind == .bool, kind != .bool || given != "" else {
                throw DockerfileError("missing a value on flag: --\(name)")
            }
            let value = given ?? "true"
            if kind == .bool, !["true", "false"].contains(value.lowercased()) {
                throw DockerfileError("expecting boolean value for flag --\(name), not: \(value)")
            }
            values[name, default: []].append(value)
        }
    }

    /// nil where the flag is not given.
    func text(_ name: String) -> String? { values[name]?.first }

    func texts(_ name: String) -> [String] { values[name] ?? [] }

    /// nil where the flag is not given.
    func bool(_ name: String) -> Bool? { text(name).map { $0.lowercased() == "true" } }
}
