import Dockerfile

/// Reads a Dockerfile; the tests' name for it is "Dockerfile".
func read(_ text: String) throws(DockerfileError) -> Dockerfile {
    try Dockerfile.parse(Array(text.utf8), name: "Dockerfile")
}

/// The one instruction behind a FROM.
func instruction(_ text: String, head: String = "") throws(DockerfileError) -> Instruction {
    let stage = try read("\(head)FROM base\n\(text)").stages[0]
    guard let instruction = stage.instructions.first, stage.instructions.count == 1 else {
        throw DockerfileError("\(stage.instructions.count) instructions, not one")
    }
    return instruction
}

/// The message that reading this ends with; nil where it does not.
func refusal(_ text: String) -> String? {
    do {
        _ = try read(text)
        return nil
    } catch {
        return error.description
    }
}

/// Expands with a backslash as escape.
func expand(_ text: String, _ environment: [String]) throws(DockerfileError) -> String {
    try Word(text).expand(with: Variables(environment: environment))
}

extension Instruction {
    var run: Run? {
        guard case .run(let run) = operation else { return nil }
        return run
    }

    var copy: Copy? {
        guard case .copy(let copy) = operation else { return nil }
        return copy
    }

    var add: Add? {
        guard case .add(let add) = operation else { return nil }
        return add
    }
}
