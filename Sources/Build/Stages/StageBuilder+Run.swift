import Containers
import Digests
import Dockerfile
import Linux
import OCI
import Runner
import SystemPackage

import Glibc
import Snapshots

extension StageBuilder {
    func execute(_ run: Instruction.Run, _ text: String) throws {
        let invocation = run.invocation(shell: draft.process.shell)
        guard let program = invocation.arguments.first, !program.isEmpty else {
            throw DockerfileError("RUN requires a command")
        }
        let network = try network(run.network)
        var key = StepKey("RUN", over: draft.layers)
        var process = ProcessSpec(arguments: invocation.arguments)
        process.environment = environment
        process.directory = workingDirectory
        process.user = draft.process.user ?? ""
        key.add("arguments", process.arguments)
        key.add("environment", process.environment)
        key.add("directory", [process.directory])
        key.add("user", [process.user])
        key.add("network", [network.rawValue])
        key.add("epoch", [build.epoch.map { "\($0)" } ?? ""])

        var request = StepRequest(layers: draft.layers, process: process)
        request.network = network
        if let script = invocation.script {
            key.add("script", [script.name, script.text])
            request.files.append(
                .init(Array(script.text.utf8), destination: "/dev/pipes", name: script.name, mode: 0o755)
            )
        }
        let number = build.begin(title(text))
        var mounts = StepMounts(self)
        for flag in run.mounts { try mounts.add(flag.mount(with: variables)) }
        key.add("mounts", mounts.key)

        let digest = key.finish()
        if !build.request.ignoresSteps, let step = try build.finished(digest, over: draft.layers, text) {
            note(history(invocation), step)
            return build.report(.cached(step: number))
        }
        try mounts.complete(&request)
        defer { withExtendedLifetime(mounts.locks) {} }
        request.process.environment = Environment.merging(
            request.process.environment,
            build.arguments.proxyEnvironment
        )
        let output = StepOutput()
        let ended: Containers.EndedStep
        do {
            ended = try build.containers.run(request, until: build.cancellation) { _, bytes in
                output.add(bytes)
                build.report(.output(step: number, Array(bytes)))
            }
        } catch {
            build.report(.failed(step: number, lastLines: output.lines))
            throw error
        }
        guard ended.status.rawValue == 0 else {
            try? build.store.remove(ended.snapshot)
            build.report(.failed(step: number, lastLines: output.lines))
            throw failure(of: ended, network)
        }
        let layer: Digest
        do {
            layer = try build.store.record(
                step: digest,
                text,
                ofSnapshot: ended.snapshot,
                notAfter: build.epoch,
                created: build.moment,
                warn: { [build] in build.report(.warning($0)) }
            ).diffID
        } catch {
            try? build.store.remove(ended.snapshot)
            throw error
        }
        build.note(DoneStep(key: digest, layer: layer, text: text, created: build.moment))
        note(history(invocation), layer: layer)
        build.report(.done(step: number))
    }

    /// Without the values of arguments: those stay out of the image.
    private func history(_ invocation: Instruction.Run.Invocation) -> String {
        "RUN \(invocation.arguments.joined(separator: " "))"
    }

    /// Of a command: what `ENV` and `ARG` say. Proxies are for the command alone, and no part of a key.
    private var environment: [String] {
        let proxies = Set(["http", "https", "ftp", "no", "all"].map { "\($0)_proxy" })
        let given = Set(build.request.arguments.keys.filter { proxies.contains($0.lowercased()) })
        return variables.environment.filter { !given.contains(String($0.prefix { $0 != "=" })) }
    }

    /// The Dockerfile may be anyone's: it gets no network that the user has not given to the build.
    private func network(_ wanted: Instruction.Run.Network) throws -> ContainerSpec.Network {
        switch wanted {
        case .none: return .none
        case .standard: return build.request.network
        case .host:
            guard build.request.network == .host else {
                throw Failure(
                    "RUN --network=host wants the host's network, and this build has none",
                    advice: "Give it to the build: mica build --network host"
                )
            }
            return .host
        }
    }

    private func failure(of ended: Containers.EndedStep, _ network: ContainerSpec.Network) -> Failure {
        let code = ended.status.rawValue
        let why = code > 128 ? "signal \(code - 128) has ended it" : "it has ended with status \(code)"
        let memory = ended.isShortOfMemory ? ", for want of memory" : ""
        let hint = "It has no network; a build with one: mica build --network host"
        let isOwn = network == .none && code < 128
        return Failure("the command failed: \(why)\(memory)", advice: isOwn ? hint : nil)
    }
}

/// The end of what a command wrote, for the message of its failure.
final class StepOutput {
    private var bytes: [UInt8] = []

    func add(_ piece: UnsafeRawBufferPointer) {
        bytes += piece
        if bytes.count > 1 << 16 { bytes.removeFirst(bytes.count - 1 << 15) }
    }

    /// The last lines.
    var lines: [String] {
        bytes.split(separator: 0x0a, omittingEmptySubsequences: false).suffix(21).map {
            String(decoding: $0.last == 0x0d ? $0.dropLast() : $0, as: UTF8.self)
        }.filter { !$0.isEmpty }
    }
}
