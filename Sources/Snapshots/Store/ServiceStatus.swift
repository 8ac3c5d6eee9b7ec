package import Layers
import Linux

import Glibc

/// The micad that serves a store, as it has noted in the file that it holds locked.
package struct ServiceStatus: Sendable, Equatable {
    package let pid: Int32
    /// Where it listens.
    package let socket: String

    /// nil where none does.
    package init?(of layout: StoreLayout) {
        guard FileLock.isHeld(layout.service),
            let bytes = try? OwnedFD.open(layout.service, O_RDONLY).contents(limit: 4096)
        else { return nil }
        let text = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let fields = text.split(separator: " ", maxSplits: 1)
        guard fields.count == 2, let pid = Int32(fields[0]), pid > 0 else { return nil }
        self.pid = pid
        socket = String(fields[1])
    }
}
