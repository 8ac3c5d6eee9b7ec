package import OCI

/// An instruction of a stage, or a global `ARG`, with its words unexpanded.
package struct Instruction: Sendable {
    package let source: Source
    package let operation: Operation

    /// What an instruction does; `FROM` is the `Stage` itself. Words that expand are `Word`s, text that does not is a
    /// `String`.
    package enum Operation: Sendable {
        case arg([Argument])
        case env([Assignment])
        case label([Assignment])
        case run(Run)
        case copy(Copy)
        case add(Add)
        case cmd(CommandLine)
        case entrypoint(CommandLine)
        /// Never empty.
        case shell([String])
        case user(Word)
        case workdir(Word)
        /// Never empty.
        case volume([Word])
        /// Each may expand to several ports, and to ranges of them: `ExposedPorts.expand` says which.
        case expose([Word])
        case healthcheck(ImageConfig.Healthcheck)
        /// An instruction for builds from the image, with its here-documents, as it goes into the image's config.
        case onbuild(String)
        case stopsignal(Word)
        case maintainer(String)
    }

    /// The instruction's name, in upper case.
    package var keyword: Keyword {
        switch operation {
        case .arg: .arg
        case .env: .env
        case .label: .label
        case .run: .run
        case .copy: .copy
        case .add: .add
        case .cmd: .cmd
        case .entrypoint: .entrypoint
        case .shell: .shell
        case .user: .user
        case .workdir: .workdir
        case .volume: .volume
        case .expose: .expose
        case .healthcheck: .healthcheck
        case .onbuild: .onbuild
        case .stopsignal: .stopsignal
        case .maintainer: .maintainer
        }
    }
}
