import ArgumentParser
import Build
import Containers
import Images
import Linux
import OCI
import Runner
import Snapshots
import SystemPackage

import Glibc

struct BuildCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        _superCommandName: Mica.name,
        abstract: "Build an image from a Dockerfile.",
        discussion: """
            The Dockerfile is read as BuildKit reads it; what mica has not is refused at its line. Each step is a snapshot, \
            and costs what it changes. A step that an earlier build has done, on the same layers and with the same files, \
            is not done again; mica gc says for how long steps are kept. With SOURCE_DATE_EPOCH the same context gives the \
            same image.

            A RUN is contained as mica run contains: it has no network unless the build has the host's. RUN needs root; \
            the other instructions do not.
            """
    )

    @OptionGroup var global: GlobalOptions

    @Option(name: .shortAndLong, help: "What to call the image. Repeatable.")
    var tag: [String] = []

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The Dockerfile; - for standard input. The context's Dockerfile by default.",
            valueName: "file"
        ),
        completion: .file()
    )
    var file: String?

    @Option(help: ArgumentHelp("Build this stage, and what it needs.", valueName: "stage"))
    var target: String?

    @Option(
        help: ArgumentHelp(
            "A value for an ARG; without a value it is the caller's variable. Repeatable.",
            valueName: "name[=value]"
        )
    )
    var buildArg: [String] = []

    @Option(help: ArgumentHelp("A label of the image. Repeatable.", valueName: "name=value"))
    var label: [String] = []

    @Flag(help: "Do every step anew.")
    var noCache = false

    @Option(
        help: ArgumentHelp(
            "Whether to pull the images of FROM: always (also without a word), missing or never.",
            valueName: "when"
        ),
        transform: BuildCommand.policy
    )
    var pull = PullPolicy.missing

    @Option(help: "The platform to build for, which has to be this machine's.")
    var platform: String?

    @Option(
        help: ArgumentHelp(
            "A file, or a variable, for RUN --mount=type=secret: id=ID,src=FILE or id=ID,env=NAME. Repeatable.",
            valueName: "secret"
        )
    )
    var secret: [String] = []

    @Option(help: ArgumentHelp("The network of RUN: none or host.", valueName: "network"))
    var network = ContainerSpec.Network.none

    @Option(help: ArgumentHelp("How to show what is done: auto, plain, tty or rawjson.", valueName: "how"))
    var progress = BuildProgress.Kind.auto

    @Option(help: ArgumentHelp("Write the image's ID to this file.", valueName: "file"), completion: .file())
    var iidfile: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Where the result goes besides the store: type=oci,dest=FILE or type=docker,dest=FILE, an archive; "
                + "type=tar,dest=FILE or type=local,dest=DIR, the root filesystem; - for standard output.",
            valueName: "output"
        )
    )
    var output: String?

    @Option(
        help: ArgumentHelp(
            "Where steps are looked for that other stores have done: type=registry,ref=NAME, NAME alone, or"
                + " type=local,src=DIR. What it says is believed. Repeatable.",
            valueName: "cache"
        )
    )
    var cacheFrom: [String] = []

    @Option(
        help: ArgumentHelp(
            "Where steps go for other stores: the same with dest=DIR; mode=max: all of them, not only the image's."
                + " Repeatable.",
            valueName: "cache"
        )
    )
    var cacheTo: [String] = []

    @Flag(name: .shortAndLong, help: "Print only the image's ID.")
    var quiet = false

    @Argument(
        help: "A directory; the URL of a tar of one, or of a Dockerfile; - for such on standard input.",
        completion: .directory
    )
    var context: String

    func run() throws {
        let output = try output.map { try BuildOutput($0) }
        let exports = try cacheTo.map { try BuildCache(to: $0) }
        let cancellation = Cancellation()
        let interruption = BuildInterruption(cancellation)
        let result = Result { try build(cancellation, output, exports) }
        interruption.end()
        let image = try result.get()
        if output?.isStandardOutput != true { print(image.id) }
    }

    private func build(
        _ cancellation: Cancellation,
        _ output: BuildOutput?,
        _ exports: [BuildCache]
    ) throws -> ImageRecord {
        let caches = try cacheFrom.map { try BuildCache(from: $0).place }
        let store = try global.store()
        let input = try BuildInput(context: context, file: file, store: store, until: cancellation)
        defer { input.end() }
        var request = input.request
        request.tags = try tag.map { try ImageReference($0).description }
        request.target = target
        request.arguments = try arguments()
        request.labels = try label.map { try BuildCommand.pair($0, of: "--label") }
        request.ignoresSteps = noCache
        request.caches = caches
        request.platform = try platform.map { try Platform(parsing: $0) }
        request.secrets = try secrets()
        request.network = network
        let progress = BuildProgress(quiet ? .none : progress)
        let policy = pull
        let build = try Build(
            request,
            in: Containers(store),
            until: cancellation,
            bring: { try policy.bring($0, to: store, interruptible: false) },
            show: { progress.show($0) }
        )
        let image: ImageRecord
        do { image = try build.run() } catch {
            progress.fail()
            throw error
        }
        progress.close()
        if let iidfile {
            try naming("write \(iidfile)") {
                try FilePath(iidfile).replace(with: Array("\(image.id)".utf8), mode: 0o644, durably: false)
            }
        }
        for export in exports {
            let content = try build.cache(ofAll: export.isMax, image)
            switch export.place {
            case .directory(let path): try CacheExport(store: store).write(content, into: path)
            case .registry(let reference):
                try CacheExport(store: store).push(content, to: reference) { stop, push in
                    try cancellation.covering(stop, push)
                }
            }
        }
        try output?.write(image, named: tag.first, of: store)
        return image
    }

    private func arguments() throws -> [String: String] {
        var arguments: [String: String] = [:]
        for text in buildArg {
            guard let equals = text.firstIndex(of: "=") else {
                arguments[text] = environment(text)
                continue
            }
            arguments[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        return arguments
    }

    /// docker's is on or off, buildah's a word.
    private static func policy(_ text: String) throws -> PullPolicy {
        switch text {
        case "true": return .always
        case "false": return .missing
        default:
            guard let policy = PullPolicy(rawValue: text) else {
                throw Failure("--pull=\(text): expected always, missing or never", exitCode: 64)
            }
            return policy
        }
    }

    static func pair(_ text: String, of option: String) throws -> (name: String, value: String) {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
            throw Failure("\(option) \(text): expected NAME=VALUE", kind: .invalidArgument)
        }
        return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }

    private func secrets() throws -> [String: BuildSecret] {
        var secrets: [String: BuildSecret] = [:]
        for text in secret {
            var fields: [String: String] = [:]
            for part in text.split(separator: ",") {
                let (name, value) = try BuildCommand.pair(String(part), of: "--secret")
                fields[name] = value
            }
            let known = Set(["id", "src", "source", "env", "type"])
            guard let id = fields["id"], known.isSuperset(of: fields.keys),
                ["file", "env", nil].contains(fields["type"])
            else {
                throw Failure(
                    "--secret \(text): expected id=ID,src=FILE or id=ID,env=NAME",
                    kind: .invalidArgument
                )
            }
            let path = fields["src"] ?? fields["source"]
            if let path, fields["type"] != "env" {
                secrets[id] = .file(FilePath(path))
            } else {
                secrets[id] = .variable(fields["env"] ?? path ?? id)
            }
        }
        return secrets
    }
}
