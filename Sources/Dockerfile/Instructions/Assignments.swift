extension Instruction {
    /// `NAME=value` of `ENV` and `LABEL`. In all values of an instruction the variables are those before it.
    package struct Assignment: Sendable, Equatable {
        package let name: Word
        package let value: Word
        /// Written in the old way, `NAME value`.
        package let isLegacy: Bool
    }

    /// `NAME` or `NAME=default` of `ARG`. The name does not expand, and each default sees the arguments before it.
    package struct Argument: Sendable, Equatable {
        package let name: String
        package let value: Word?
        /// The comment above that begins with the name, without the name.
        package let comment: String?
    }
}
