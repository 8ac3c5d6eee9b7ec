import Dockerfile
import Linux
import OCI

extension StageBuilder {
    func execute(_ instruction: Instruction) throws {
        let text = instruction.source.text
        switch instruction.operation {
        case .arg(let arguments): try declare(arguments)
        case .env(let assignments):
            for (name, value) in try expanded(assignments) {
                guard !name.isEmpty else { throw DockerfileError("ENV names can not be blank") }
                variables[name] = value
                set(name, value)
            }
        case .label(let assignments):
            for (name, value) in try expanded(assignments) {
                guard !name.isEmpty else { throw DockerfileError("LABEL names can not be blank") }
                draft.process.labels = (draft.process.labels ?? [:]).merging([name: value]) { $1 }
            }
        case .cmd(let command):
            draft.process.command = command.arguments(shell: draft.process.shell).orNil
            draft.hasCommand = true
        case .entrypoint(let command):
            draft.process.entrypoint = command.arguments(shell: draft.process.shell).orNil
            // The base's CMD was for its own ENTRYPOINT.
            if !draft.hasCommand { draft.process.command = nil }
        case .shell(let words): draft.process.shell = words
        case .user(let word): draft.process.user = try word.expand(with: variables)
        case .volume(let words):
            for word in words {
                let path = try word.expand(with: variables)
                guard !path.isEmpty else {
                    throw DockerfileError("VOLUME specified can not be an empty string")
                }
                draft.process.volumes = (draft.process.volumes ?? [:]).merging([path: .init()]) { $1 }
            }
        case .expose(let words):
            for word in try words.flatMap({ try $0.expandToWords(with: variables) }) {
                try ConfigChange.apply([ConfigChange("EXPOSE \(word)")], to: &draft.process)
            }
        case .healthcheck(let check): draft.process.healthcheck = check
        case .onbuild(let trigger): draft.process.onBuild = (draft.process.onBuild ?? []) + [trigger]
        case .stopsignal(let word):
            let signal = try word.expand(with: variables)
            _ = try Signal(parsing: signal)
            draft.process.stopSignal = signal
        case .maintainer(let name): draft.author = name
        case .workdir(let word): return try makeWorkingDirectory(word, text)
        case .run(let run): return try execute(run, text)
        case .copy(let copy): return try execute(CopyStep(copy), text)
        case .add(let add): return try execute(CopyStep(add), text)
        }
        note(text)
    }

    /// The values see the variables before the instruction.
    private func expanded(_ assignments: [Instruction.Assignment]) throws -> [(String, String)] {
        let before = variables
        return try assignments.map { assignment in
            (try assignment.name.expand(with: before), try assignment.value.expand(with: before))
        }
    }

    private func set(_ name: String, _ value: String) {
        var environment = draft.process.environment ?? []
        if let known = environment.firstIndex(where: { $0.prefix { $0 != "=" } == name }) {
            environment[known] = "\(name)=\(value)"
        } else {
            environment.append("\(name)=\(value)")
        }
        draft.process.environment = environment
    }

    private func declare(_ arguments: [Instruction.Argument]) throws {
        for argument in arguments {
            let value: String?
            if let given = build.request.arguments[argument.name] {
                value = given
            } else if let word = argument.value {
                value = try word.expand(with: variables)
            } else {
                value = build.globals[argument.name]
            }
            // The proxies are for commands alone.
            if let value, !Build.proxies.contains(argument.name) { variables[argument.name] = value }
        }
    }

    private func makeWorkingDirectory(_ word: Word, _ text: String) throws {
        let path = try word.expand(with: variables)
        guard !path.isEmpty else { throw DockerfileError("WORKDIR requires exactly one argument") }
        let names = TreePath.names((path.hasPrefix("/") ? path : "\(workingDirectory)/\(path)").utf8)
        draft.process.workingDirectory = TreePath.text(names)
        guard !names.isEmpty else { return note(text) }
        try makeDirectory(names, text)
    }
}

extension [String] {
    fileprivate var orNil: [String]? { isEmpty ? nil : self }
}
