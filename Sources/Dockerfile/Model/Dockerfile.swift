/// A Dockerfile, read as BuildKit's `docker/dockerfile:1` reads it, and not yet expanded: what `ARG` and `ENV` say
/// depends on the build. Made by `Dockerfile.parse`.
package struct Dockerfile: Sendable {
    /// The file's name, as errors give it.
    package let name: String
    package let directives: Directives
    /// The `ARG`s before the first `FROM`, in their order: the variables of all `FROM`s, and the defaults of an `ARG`
    /// of the same name in a stage.
    package let globals: [Instruction]
    /// In the order of the file, and never empty.
    package let stages: [Stage]
    /// What BuildKit warns of, in the order of lines.
    package let warnings: [DockerfileError]
}
