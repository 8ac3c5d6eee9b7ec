package import OCI

/// What the instructions of a stage have made so far, apart from files: the config of its image, and the variables.
package struct StageConfig: Sendable {
    package internal(set) var process: ImageConfig.Process
    /// From `MAINTAINER`.
    package internal(set) var author: String?
    /// What expands: the image's environment, and the `ARG`s so far. Also the environment of a `RUN`, to which
    /// `BuildArguments.proxyEnvironment` is added.
    package internal(set) var variables: Variables
    /// The `ARG`s so far, in the order in which they came up; nil for one without a value.
    package internal(set) var declared: [(name: String, value: String?)] = []
    package let arguments: BuildArguments
    /// A `CMD` of the stage's own outlives an `ENTRYPOINT`.
    var hasCommand = false
    /// Where in the image's environment a variable is.
    var places: [String: Int] = [:]
    /// Of names and values, in bytes.
    var labelSize: Int
    var exposed = 0

    /// Where an image has no PATH, that of its containers.
    package static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// The stage begins with an image of this config. `isBuild`: a build adds a PATH where there is none.
    package init(
        image process: ImageConfig.Process,
        arguments: BuildArguments,
        isBuild: Bool = true
    ) {
        self.process = process
        self.arguments = arguments
        variables = Variables(environment: process.environment ?? [])
        labelSize = (process.labels ?? [:]).reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        if isBuild, variables["PATH"] == nil {
            variables["PATH"] = StageConfig.defaultPath
            self.process.environment = (process.environment ?? []) + ["PATH=\(StageConfig.defaultPath)"]
        }
        if isBuild { self.process.onBuild = nil }
        for (place, entry) in (self.process.environment ?? []).enumerated() {
            let name = entry.cutAtEquals.before
            if places[name] == nil { places[name] = place }
        }
    }

    /// The stage begins with nothing.
    package static func scratch(arguments: BuildArguments) -> StageConfig {
        var process = ImageConfig.Process()
        process.workingDirectory = "/"
        return StageConfig(image: process, arguments: arguments)
    }

    /// A stage that begins with this one inherits its `ARG`s, but `ENV` counts for more than they do. `ONBUILD`s are
    /// executed (`process.onBuild` of this one has them), and not inherited.
    package func next() -> StageConfig {
        var next = self
        next.process.onBuild = nil
        next.hasCommand = false
        for entry in process.environment ?? [] {
            let (name, value) = entry.cutAtEquals
            next.variables[name] = value ?? ""
        }
        return next
    }
}

extension Variables {
    /// In bytes: an environment that is larger starts no program.
    static let sizeLimit = 4 << 20

    func checkSize(at source: Source? = nil) throws(DockerfileError) {
        guard size > Variables.sizeLimit else { return }
        let error = DockerfileError("the variables have more than \(Variables.sizeLimit) bytes")
        throw source.map(error.at) ?? error
    }
}
