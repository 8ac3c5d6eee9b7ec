/// A `.dockerignore`.
package enum IgnoreFile {
    /// In bytes.
    package static let sizeLimit = 4 << 20

    /// Where to look for it: the first one that exists counts, even if it is empty. The first is beside the Dockerfile,
    /// whose path this takes, the other one at the top of the context.
    package static func names(besides dockerfile: String) -> [String] {
        ["\(dockerfile).dockerignore", ".dockerignore"]
    }

    /// Reads the patterns. `name` is the file's name in errors.
    package static func patterns(_ bytes: [UInt8], name: String) throws(DockerfileError) -> PathPatterns {
        guard bytes.count <= sizeLimit else {
            throw DockerfileError("more than \(sizeLimit) bytes of patterns", file: name)
        }
        var lines = SourceLines(bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...])
        var patterns: [[UInt8]] = []
        do throws(DockerfileError) {
            while let line = try lines.next() {
                guard let pattern = pattern(line.withoutLineEnd) else { continue }
                do { _ = try PathPatterns([pattern]) } catch {
                    throw DockerfileError(error.message, lines: lines.number...lines.number)
                }
                patterns.append(pattern)
            }
            return try PathPatterns(patterns)
        } catch {
            throw DockerfileError(error.message, file: name, lines: error.lines)
        }
    }

    /// nil for comments and empty lines. A slash at the beginning means nothing.
    private static func pattern(_ line: ArraySlice<UInt8>) -> [UInt8]? {
        guard line.first != UInt8(ascii: "#") else { return nil }
        var text = line.withoutSpaceAround
        guard !text.isEmpty else { return nil }
        let isException = text.first == UInt8(ascii: "!")
        if isException { text = text.dropFirst().withoutSpaceAround }
        var path = text.isEmpty ? [] : CleanPath.of(Array(text))
        if path.count > 1, path.first == UInt8(ascii: "/") { path.removeFirst() }
        return (isException ? [UInt8(ascii: "!")] : []) + path
    }
}
