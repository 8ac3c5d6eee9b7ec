/// The files of a layout or an archive, by the names that the formats give them: the interface between the formats
/// and where they are stored, a directory or a tar.
package protocol ImageFiles: Sendable {
    /// For messages: the place that the user gave.
    var name: String { get }

    /// nil where there is no such file. Names are keys: they come from untrusted documents.
    func file(_ name: String) throws -> BlobFile?
}
