import Dockerfile

/// `--chmod`: what becomes of a file's twelve bits.
struct CopyMode: Sendable {
    /// Where it is a number, directories that are made on the way have it as well.
    var octal: UInt32?
    /// Gets a mode, and whether it is a directory's.
    var apply: @Sendable (UInt32, Bool) -> UInt32
}

extension CopyMode {
    /// Throws an error without a place.
    init(_ text: String) throws(DockerfileError) {
        let mode = try FileMode(text)
        octal = UInt32(text, radix: 8)
        apply = { mode.apply(to: $0, isDirectory: $1) }
    }
}
