import Digests
import Dockerfile
import Linux
import OCI
import Runner
import Snapshots

/// Builds one stage, on one thread.
final class StageBuilder {
    let build: Build
    let stage: Stage
    var draft: ImageDraft
    /// What `ENV`, and `ARG` so far, give the words of the stage and its commands.
    var variables = Variables()
    /// Of the instruction that is executed, for progress.
    private var position = 1
    private var count = 1

    init(_ build: Build, _ stage: Stage) {
        self.build = build
        self.stage = stage
        draft = ImageDraft(scratch: build.request.platform ?? .host)
    }

    func run() throws -> ImageDraft {
        try located(stage.source) { try begin() }
        var instructions: [Instruction] = []
        try located(stage.source) {
            for trigger in draft.process.onBuild ?? [] {
                instructions.append(try Dockerfile.parse(trigger: trigger, of: stage.source))
            }
        }
        // They are for builds from the image, and this is one.
        draft.process.onBuild = nil
        instructions += stage.instructions
        count = 1 + instructions.count { StageBuilder.isStep($0.keyword) }
        for instruction in instructions {
            try build.cancellation.check()
            if StageBuilder.isStep(instruction.keyword) { position += 1 }
            try located(instruction.source) { try execute(instruction) }
        }
        return draft
    }

    private static func isStep(_ keyword: Keyword) -> Bool {
        switch keyword {
        case .run, .copy, .add, .workdir: true
        default: false
        }
    }

    /// Says of an error where in the Dockerfile it is.
    private func located<R>(_ source: Source, _ body: () throws -> R) throws -> R {
        do { return try body() } catch let error as DockerfileError {
            throw error.at(source).failure
        } catch let failure as Failure {
            // An error of another stage has its place.
            guard !failure.message.hasPrefix("\(build.request.name):"), !build.cancellation.isCancelled else {
                throw failure
            }
            throw Failure(
                "\(source.file):\(source.lines.lowerBound): \(failure.message)",
                advice: failure.advice,
                kind: failure.kind,
                exitCode: failure.exitCode
            )
        }
    }

    /// `[build 2/5] RUN make`
    func title(_ text: String) -> String {
        let name = build.dockerfile.stages.count > 1 ? "\(stage.title) " : ""
        return "[\(name)\(position)/\(count)] \(text)"
    }

    // MARK: - FROM

    private func begin() throws {
        let name = try stage.base.expand(with: build.globals)
        guard !name.isEmpty else {
            throw DockerfileError("base name (\(stage.base.text)) should not be blank")
        }
        let platform = try stage.platform.map { try $0.expand(with: build.globals) }
        let wanted =
            try platform.flatMap { $0.isEmpty ? nil : try Platform(parsing: $0) } ?? build.request.platform
        if let wanted, wanted.rank(on: .host) == nil {
            throw Failure(
                "the platform \(wanted) is not this machine's, \(Platform.host): mica emulates none",
                advice: "Build on such a machine."
            )
        }
        if let below = build.stage(named: name, before: stage.number, byNumber: false) {
            draft = try build.stage(below)
            draft.hasCommand = false
        } else if name != "scratch" {
            let step = build.begin(title("FROM \(name)"))
            let image = try build.image(named: name)
            draft = try ImageDraft(config: image.config, name: name, layers: image.layers)
            try check(image, named: name)
            build.report(.done(step: step))
        } else {
            draft = ImageDraft(scratch: wanted ?? .host)
        }
        if let epoch = build.epoch { draft.begin(at: epoch) }
        // As BuildKit has it, in the image as well.
        var environment = draft.process.environment ?? []
        if Environment.value(of: "PATH", in: environment) == nil {
            environment.append("PATH=\(Environment.defaultPath)")
        }
        draft.process.environment = environment
        variables = Variables(environment: environment)
    }

    private func check(_ image: ImageRecord, named name: String) throws {
        let config = try ImageConfig(json: image.config, name: "the config of \(name)")
        guard let architecture = config.architecture, !architecture.isEmpty else { return }
        let own = Platform(architecture: architecture, os: config.os ?? "linux", variant: config.variant)
        guard own.rank(on: .host) == nil else { return }
        throw Failure("\(name) is for \(own), not for this machine, \(Platform.host): mica emulates none")
    }

    // MARK: - Where files are copied and mounted from

    /// A stage's or an image's layers, by the name after `--from=`.
    func layers(from name: String) throws -> [Digest] {
        if let number = build.stage(named: name, before: stage.number) {
            return try build.stage(number).layers
        }
        if Int(name) != nil {
            throw DockerfileError("invalid from flag value \(name): there is no earlier stage of that number")
        }
        if name.lowercased() == "scratch" { return [] }
        return try build.image(named: name).layers
    }

    // MARK: - Config

    func note(_ text: String, layer: Digest? = nil) {
        draft.note(text, created: build.created, layer: layer)
    }

    /// Of a step that an earlier build did.
    func note(_ text: String, _ step: (layer: Digest, created: Int64)) {
        draft.note(text, created: build.epoch ?? step.created / 1_000_000_000, layer: step.layer)
    }

    var workingDirectory: String {
        let directory = draft.process.workingDirectory ?? ""
        return directory.hasPrefix("/") ? directory : "/\(directory)"
    }

    /// A path of the image: relative to the working directory. A slash at its end stays.
    func absolute(_ path: String) -> String {
        let isDirectory = path.isEmpty || path == "." || path.hasSuffix("/") || path.hasSuffix("/.")
        let whole = path.hasPrefix("/") ? path : "\(workingDirectory)/\(path)"
        let names = TreePath.names(whole.utf8)
        let clean = TreePath.text(names)
        return isDirectory && !names.isEmpty ? clean + "/" : clean
    }
}
