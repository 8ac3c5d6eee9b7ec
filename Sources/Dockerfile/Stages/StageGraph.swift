package import OCI

/// Which stages there are, what they are made from, and which ones a target needs.
package struct StageGraph: Sendable {
    /// What `FROM`, `COPY --from` and `--mount=from=` name.
    package enum Origin: Sendable, Hashable {
        case scratch
        /// By its number.
        case stage(Int)
        /// By its reference, as it was written.
        case image(String)
    }

    package struct Node: Sendable {
        package let base: Origin
        /// From `--platform`; nil where the base decides, or the build.
        package let platform: Platform?
        /// Before the stage's own instructions: the `ONBUILD`s of its base, added by `add(triggers:to:)`.
        package internal(set) var triggers: [Instruction] = []
        /// What its instructions copy or mount from, each once.
        package internal(set) var sources: [Origin] = []
    }

    package let dockerfile: Dockerfile
    /// One for each stage, in the same order.
    package internal(set) var nodes: [Node] = []

    /// Expands all `FROM`s, and finds what no other names and what needs itself.
    package init(_ dockerfile: Dockerfile, _ arguments: BuildArguments) throws(DockerfileError) {
        self.dockerfile = dockerfile
        for stage in dockerfile.stages {
            let node = try locating(stage.source) { () throws(DockerfileError) in
                try self.node(of: stage, arguments.globals)
            }
            nodes.append(node)
        }
        for stage in dockerfile.stages {
            try addSources(of: stage.instructions, to: stage.number)
        }
        try refuseCircles()
    }

    private func node(of stage: Stage, _ globals: Variables) throws(DockerfileError) -> Node {
        let name = try stage.base.expand(with: globals)
        guard !name.isEmpty else {
            throw DockerfileError("base name (\(stage.base.text)) should not be blank")
        }
        var platform: Platform?
        if let word = stage.platform {
            let text = try word.expand(with: globals)
            guard !text.isEmpty else {
                throw DockerfileError("empty platform value from expression \(word.text)")
            }
            do { platform = try Platform(parsing: text) } catch {
                throw DockerfileError("failed to parse platform \(text)")
            }
        }
        if let number = stageNumber(name, before: stage.number) {
            return Node(base: .stage(number), platform: platform)
        }
        if name == "scratch" { return Node(base: .scratch, platform: platform) }
        return Node(base: .image(try StageGraph.image(name)), platform: platform)
    }

    /// Names don't differ by case. Of stages with one name, the last one before counts, and otherwise the first after.
    private func stageNumber(_ name: String, before number: Int) -> Int? {
        let name = name.lowercased()
        return dockerfile.stages[..<number].lastIndex { $0.name == name }
    }

    private static func image(_ name: String) throws(DockerfileError) -> String {
        do { _ = try ImageReference(name) } catch {
            throw DockerfileError("failed to parse stage name \"\(name)\": invalid reference format")
        }
        return name
    }

    /// What `from` names for an instruction of the stage: a stage by its number or name, an image, or nothing at all.
    package func origin(_ from: String, in stage: Int) throws(DockerfileError) -> Origin {
        if let number = Int(from) {
            guard dockerfile.stages.indices.contains(number) else {
                throw DockerfileError("invalid stage index \(number)")
            }
            return .stage(number)
        }
        if let number = stageNumber(from, before: stage) { return .stage(number) }
        let name = from.lowercased()
        if let later = dockerfile.stages[stage...].first(where: { $0.name == name }) {
            return .stage(later.number)
        }
        return from == "scratch" ? .scratch : .image(try StageGraph.image(from))
    }
}
