import Linux
import Scratch
import SystemPackage
import Testing

import struct Foundation.UUID

@Suite(.timeLimit(.minutes(40))) struct `File lock` {
    @Test func `is refused while somebody holds it and free afterwards`() throws {
        let path = FilePath("\(Scratch.prefix("lock"))\(UUID())")
        defer { try? path.unlink() }
        do {
            let held = try FileLock(path)
            #expect(held.raw >= 0)
            try #expect(isFree(path) == false)
        }
        try #expect(isFree(path))
    }

    // A lock can't be copied, so it can't be handed to #expect.
    private func isFree(_ path: FilePath) throws(Errno) -> Bool {
        switch try FileLock(trying: path) {
        case .some: true
        case .none: false
        }
    }
}
