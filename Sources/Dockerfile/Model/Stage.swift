/// A `FROM`, and the instructions up to the next one.
package struct Stage: Sendable {
    /// In lower case; nil where `FROM` has no `AS`.
    package let name: String?
    /// From 0, in the order of the file.
    package let number: Int
    /// An image, `scratch`, or an earlier stage: which one of them `StageGraph` says, because the global `ARG`s
    /// expand in it.
    package let base: Word
    package let platform: Word?
    /// The comment above a named `FROM` that begins with the name, without the name.
    package let comment: String?
    /// Of the `FROM`.
    package let source: Source
    package internal(set) var instructions: [Instruction]

    /// The name, or `stage-2`: for progress and errors.
    package var title: String { name ?? "stage-\(number)" }
}
