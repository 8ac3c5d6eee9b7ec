extension Instruction {
    /// A `--mount` of `RUN`, unexpanded.
    package struct MountFlag: Sendable {
        /// As it was written, without `--mount=`.
        package let text: String
        /// A stage or image to mount from; variables don't expand in it.
        package let from: String?
        let fields: [Field]

        struct Field: Sendable {
            /// In lower case.
            let key: String
            /// nil where there is no `=`.
            let value: Word?
            let text: String
        }
    }
}
