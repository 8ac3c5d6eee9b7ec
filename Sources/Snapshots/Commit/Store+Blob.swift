package import Layers

import Changes
import Linux

extension Store {
    /// Makes a blob of what a snapshot changed in its parent, as `export` finds it: the same changes give the same bytes.
    ///
    /// `format`: nil for the tar as it is. `latest`: no time in the tar is after it, Unix nanoseconds. `sink` gets the blob
    /// in pieces of any size, which must not count before this returns. `warn` hears, in any thread, of what no layer can
    /// hold.
    ///
    /// notFound; failedPrecondition as for `export`.
    package func writeBlob(
        of key: String,
        in space: KeySpace,
        compressing format: LayerCompression.Format?,
        notAfter latest: Int64? = nil,
        warn: @escaping @Sendable (String) -> Void = { _ in },
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws -> LayerBlobWriter.Blob {
        let writer = LayerBlobWriter(format, to: sink)
        if let latest {
            try TarUntil(latest, named: "the changes of snapshot \(key)").rewriting { sink in
                try withoutActuallyEscaping(sink) { sink in
                    try self.export(key, in: space, warn: warn, to: sink)
                }
            } to: {
                try writer.write($0)
            }
        } else {
            try export(key, in: space, warn: warn) { try writer.write($0) }
        }
        return try writer.finish()
    }
}
