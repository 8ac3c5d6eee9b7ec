package import OCI
package import Runner
package import SystemPackage

import Linux

/// What a user asks of a build.
package struct BuildRequest: Sendable {
    /// Where the files of `COPY` and `ADD` come from.
    package enum Context: Sendable {
        case directory(FilePath)
        /// A tar, plain or compressed, that was read into a layer.
        case layer(Digest)
        case none
    }

    package var dockerfile: [UInt8]
    /// The Dockerfile's name, for errors.
    package var name: String
    /// Where it is in the context; its `.dockerignore` may be beside it.
    package var path: String?
    package var context: Context
    /// References.
    package var tags: [String] = []
    /// A stage's name or number; nil: the last one.
    package var target: String?
    /// `ARG`s by name.
    package var arguments: [String: String] = [:]
    package var labels: [(name: String, value: String)] = []
    /// No step of an earlier build is used.
    package var ignoresSteps = false
    /// Where steps of other builds are looked for, one after another.
    package var caches: [CachePlace] = []
    /// nil: this machine's.
    package var platform: Platform?
    package var secrets: [String: BuildSecret] = [:]
    package var network = ContainerSpec.Network.none

    package init(dockerfile: [UInt8], name: String, context: Context) {
        self.dockerfile = dockerfile
        self.name = name
        self.context = context
    }
}

/// Where a secret's bytes are; they are read when a step needs them.
package enum BuildSecret: Sendable {
    case file(FilePath)
    case variable(String)
}
