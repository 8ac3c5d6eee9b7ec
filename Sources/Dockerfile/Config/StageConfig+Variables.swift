import OCI
extension StageConfig {
    /// A value from the user counts for more than the default, and a default for more than a global `ARG`.
    mutating func declare(_ list: [Instruction.Argument]) throws(DockerfileError) -> String {
        var shown: [String] = []
        for argument in list {
            var value = arguments.given[argument.name]
            if value == nil { value = try argument.value?.expand(with: variables) }
            if value == nil { value = arguments.globals[argument.name] }
            if let value {
                variables[argument.name] = value
                try variables.checkSize()
            }
            if let known = declared.firstIndex(where: { $0.name == argument.name }) {
                declared[known].value = value ?? declared[known].value
            } else {
                declared.append((argument.name, value))
            }
            shown.append(value.map { "\(argument.name)=\($0)" } ?? argument.name)
        }
        return "ARG \(shown.joined(separator: " "))"
    }

    /// The values see the variables before the instruction, and not one another.
    func expanded(_ list: [Instruction.Assignment]) throws(DockerfileError) -> [(String, String)] {
        var result: [(String, String)] = []
        var size = 0
        for assignment in list {
            let name = try assignment.name.expand(with: variables)
            guard !name.isEmpty else { throw DockerfileError("names can not be blank") }
            let value = try assignment.value.expand(with: variables)
            size += name.utf8.count + value.utf8.count
            guard size <= Variables.sizeLimit else {
                throw DockerfileError("the values have more than \(Variables.sizeLimit) bytes")
            }
            result.append((name, value))
        }
        return result
    }

    mutating func setEnvironment(_ list: [Instruction.Assignment]) throws(DockerfileError) -> String {
        let pairs = try expanded(list)
        for (name, value) in pairs {
            variables[name] = value
            set(name, value)
        }
        try variables.checkSize()
        return "ENV \(pairs.map { "\($0)=\($1)" }.joined(separator: " "))"
    }

    private mutating func set(_ name: String, _ value: String) {
        if let place = places[name] {
            process.environment?[place] = "\(name)=\(value)"
        } else {
            places[name] = process.environment?.count ?? 0
            process.environment = process.environment ?? []
            process.environment?.append("\(name)=\(value)")
        }
    }

    mutating func setLabels(_ list: [Instruction.Assignment]) throws(DockerfileError) -> String {
        let pairs = try expanded(list)
        process.labels = process.labels ?? [:]
        for (name, value) in pairs {
            let old = process.labels?.updateValue(value, forKey: name)
            labelSize += value.utf8.count - (old.map(\.utf8.count) ?? -name.utf8.count)
        }
        guard labelSize <= Variables.sizeLimit else {
            throw DockerfileError("the labels have more than \(Variables.sizeLimit) bytes")
        }
        return "LABEL \(pairs.map { "\($0)=\($1)" }.joined(separator: " "))"
    }

    /// What a `RUN` has in front of its command in the history: `|2 A=1 B=2 `, the values of the `ARG`s; empty where
    /// there are none.
    package var historyOfArguments: String {
        guard !declared.isEmpty else { return "" }
        let shown = declared.map { "\($0.name)=\(variables[$0.name] ?? $0.value ?? "")" }
        return "|\(shown.count) \(shown.joined(separator: " ")) "
    }
}
