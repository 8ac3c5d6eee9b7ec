/// Where something is in a Dockerfile.
package struct Source: Sendable, Equatable {
    /// The name of the Dockerfile.
    package let file: String
    /// Counted from 1, with the lines of here-documents.
    package let lines: ClosedRange<Int>
    /// The instruction in one line, as it was written, without comments and here-documents: continued lines are joined.
    package let text: String

    package init(file: String, lines: ClosedRange<Int>, text: String) {
        self.file = file
        self.lines = lines
        self.text = text
    }
}
