import Linux
import OCI

extension StageConfig {
    /// Does what the instruction does to the config and the variables, and gives the line for the image's history,
    /// nil where there is none. `RUN`, `COPY` and `ADD` change neither; `WORKDIR` also has to make the directory.
    @discardableResult
    package mutating func apply(_ instruction: Instruction) throws(DockerfileError) -> String? {
        do throws(DockerfileError) {
            return try apply(instruction.operation)
        } catch {
            throw error.at(instruction.source)
        }
    }

    private mutating func apply(_ operation: Instruction.Operation) throws(DockerfileError) -> String? {
        switch operation {
        case .run, .copy, .add: return nil
        case .arg(let arguments): return try declare(arguments)
        case .env(let assignments): return try setEnvironment(assignments)
        case .label(let assignments): return try setLabels(assignments)
        case .cmd(let command):
            process.command = command.arguments(shell: process.shell)
            hasCommand = true
            return "CMD \(quoted(process.command ?? []))"
        case .entrypoint(let command):
            let words = command.arguments(shell: process.shell)
            process.entrypoint = words.isEmpty ? nil : words
            // The image's CMD was for its own ENTRYPOINT.
            if !hasCommand { process.command = nil }
            return "ENTRYPOINT \(quoted(words))"
        case .shell(let words):
            process.shell = words
            return "SHELL [\(words.joined(separator: " "))]"
        case .user(let word):
            let user = try word.expand(with: variables)
            process.user = user
            return "USER \(user)"
        case .workdir(let word):
            let directory = workingDirectory(try word.expand(with: variables))
            process.workingDirectory = directory
            return "WORKDIR \(directory)"
        case .volume(let words): return try addVolumes(words)
        case .expose(let words): return try expose(words)
        case .healthcheck(let check):
            process.healthcheck = check
            return check.historyLine
        case .onbuild(let text):
            process.onBuild = (process.onBuild ?? []) + [text]
            return nil
        case .stopsignal(let word):
            let signal = try word.expand(with: variables)
            do { _ = try Signal(parsing: signal) } catch {
                throw DockerfileError("no such signal: \(signal)")
            }
            process.stopSignal = signal
            return "STOPSIGNAL \(signal)"
        case .maintainer(let name):
            author = name
            return "MAINTAINER \(name)"
        }
    }

    private func quoted(_ words: [String]) -> String {
        let shown = words.map { word in
            var text = "\""
            for scalar in word.unicodeScalars {
                if scalar == "\"" || scalar == "\\" { text += "\\" }
                text.unicodeScalars.append(scalar)
            }
            return text + "\""
        }
        return "[\(shown.joined(separator: " "))]"
    }

    /// A relative one is in the current one; an absolute one stays as it is.
    func workingDirectory(_ path: String) -> String {
        let current = process.workingDirectory ?? ""
        let parent = current.hasPrefix("/") ? current : "/\(current)"
        if path.isEmpty { return parent }
        if path.hasPrefix("/") { return path }
        return String(decoding: CleanPath.of(Array("\(parent)/\(path)".utf8)), as: UTF8.self)
    }

    private mutating func addVolumes(_ words: [Word]) throws(DockerfileError) -> String {
        var paths: [String] = []
        for word in words {
            let path = try word.expand(with: variables)
            guard !path.isEmpty else { throw DockerfileError("VOLUME specified can not be an empty string") }
            paths.append(path)
        }
        process.volumes = process.volumes ?? [:]
        for path in paths { process.volumes?[path] = .init() }
        return "VOLUME [\(paths.joined(separator: " "))]"
    }

    private mutating func expose(_ words: [Word]) throws(DockerfileError) -> String {
        var ports: [String] = []
        for word in words {
            for text in try word.expandToWords(with: variables) {
                ports += try PortRange(text).ports
                // More than there are.
                guard exposed + ports.count <= 3 << 16 else { throw DockerfileError("too many ports") }
            }
        }
        exposed += ports.count
        process.exposedPorts = process.exposedPorts ?? [:]
        for port in ports { process.exposedPorts?[port] = .init() }
        return "EXPOSE [\(ports.joined(separator: " "))]"
    }
}
