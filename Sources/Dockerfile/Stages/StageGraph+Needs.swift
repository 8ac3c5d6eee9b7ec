extension StageGraph {
    /// The number of the stage with this name or number; of the last one for nil.
    package func target(_ name: String?) throws(DockerfileError) -> Int {
        let stages = dockerfile.stages
        guard let name, !name.isEmpty else { return stages.count - 1 }
        if let number = stages.lastIndex(where: { $0.name == name.lowercased() }) { return number }
        if let number = Int(name), stages.indices.contains(number) { return number }
        let hint = Suggestion.text(for: name, among: stages.compactMap(\.name))
        throw DockerfileError("target stage \"\(name)\" could not be found\(hint)", file: dockerfile.name)
    }

    /// The stages that a target needs, itself included, in ascending order: each comes after all that it needs. Throws
    /// an error where one of them copies from a stage that comes after it.
    package func needed(for target: Int) throws(DockerfileError) -> [Int] {
        var needed: Set<Int> = []
        var open = [target]
        while let number = open.popLast() {
            guard needed.insert(number).inserted else { continue }
            for need in needs(of: number) {
                guard need < number else {
                    let (other, own) = (dockerfile.stages[need].title, dockerfile.stages[number].title)
                    throw DockerfileError(
                        "cannot copy from stage \"\(other)\", it needs to be defined before current stage \"\(own)\""
                    ).at(place(where: number, needs: need))
                }
                open.append(need)
            }
        }
        return needed.sorted()
    }

    /// The stages that a stage begins with, copies from or mounts.
    package func needs(of stage: Int) -> [Int] {
        ([nodes[stage].base] + nodes[stage].sources).compactMap { origin in
            guard case .stage(let number) = origin else { return nil }
            return number
        }
    }

    /// Adds the `ONBUILD`s of the stage's base, which come before its own instructions, and gives them as instructions.
    /// The stages that are needed can be more afterwards.
    @discardableResult
    package mutating func add(
        triggers: [String],
        to stage: Int
    ) throws(DockerfileError) -> [Instruction] {
        let source = dockerfile.stages[stage].source
        let instructions = try triggers.map { text throws(DockerfileError) in
            try Dockerfile.parse(trigger: text, of: source)
        }
        try addSources(of: instructions, to: stage)
        nodes[stage].triggers += instructions
        try refuseCircles()
        return instructions
    }

    mutating func addSources(of instructions: [Instruction], to stage: Int) throws(DockerfileError) {
        for instruction in instructions {
            for from in instruction.origins {
                let origin = try locating(instruction.source) { () throws(DockerfileError) in
                    try self.origin(from, in: stage)
                }
                if !nodes[stage].sources.contains(origin) { nodes[stage].sources.append(origin) }
            }
        }
    }

    func refuseCircles() throws(DockerfileError) {
        // 1 while the stages that a stage needs are visited, 2 afterwards.
        var states = Array(repeating: 0, count: nodes.count)
        for start in nodes.indices where states[start] == 0 {
            states[start] = 1
            var way = [(stage: start, needs: needs(of: start))]
            while let (stage, open) = way.last {
                guard let need = open.last else {
                    states[stage] = 2
                    way.removeLast()
                    continue
                }
                way[way.count - 1].needs.removeLast()
                if states[need] == 1 {
                    let title = dockerfile.stages[need].title
                    throw DockerfileError("circular dependency detected on stage: \(title)")
                        .at(place(where: stage, needs: need))
                }
                guard states[need] == 0 else { continue }
                states[need] = 1
                way.append((need, needs(of: need)))
            }
        }
    }

    /// The instruction that leads to the other stage.
    private func place(where stage: Int, needs need: Int) -> Source {
        let instructions = nodes[stage].triggers + dockerfile.stages[stage].instructions
        let found = instructions.first { instruction in
            instruction.origins.contains { (try? origin($0, in: stage)) == .stage(need) }
        }
        return found?.source ?? dockerfile.stages[stage].source
    }
}

extension Instruction {
    /// What `--from` and the mounts name.
    var origins: [String] {
        switch operation {
        case .copy(let copy): copy.from.map { [$0] } ?? []
        case .run(let run): run.mounts.compactMap(\.from)
        default: []
        }
    }
}
