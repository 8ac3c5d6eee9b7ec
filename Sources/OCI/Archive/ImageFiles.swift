/// The files of a layout or an archive, by the names that the formats give them. The seam between the
/// formats and where they are kept: a directory or a tar.
package protocol ImageFiles: Sendable {
    /// For messages: where the user said it is.
    var name: String { get }

    /// nil where there is no such file. Names are keys: they come from documents that nobody trusts.
    func file(_ name: String) throws -> BlobFile?
}
