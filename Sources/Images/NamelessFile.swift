import Layers
import Linux
import OCI
import SystemPackage

import Glibc

/// A file without a name in the store, for bytes that are made to be sent. No collection can remove it, and nothing is
/// left of it, however this process ends.
struct NamelessFile: Sendable {
    let file: BlobFile.Shared

    init(in layout: StoreLayout) throws {
        var path = layout.tmp.appending("nameless-XXXXXX")
        let fd = try naming("create a file in \(layout.tmp)") { try OwnedFD.create(unique: &path) }
        // Or a collection has removed the name already.
        try? path.unlink()
        file = BlobFile.Shared(fd)
    }

    /// By this path a child process opens the file, for as long as this process has it open.
    var path: FilePath { FilePath("/proc/\(getpid())/fd/\(file.fd.raw)") }
}
