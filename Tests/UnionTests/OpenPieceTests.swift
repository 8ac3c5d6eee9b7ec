import Glibc
import Linux
import SystemPackage
import Testing

import Union

@Suite(.timeLimit(.minutes(40)))
struct `Open directories of layers` {
    @Test func `what was used stays open longest, and no more are open than asked for`() throws {
        let pieces = OpenPieces(capacity: 4)
        func open() throws -> OpenFile { OpenFile(try OwnedFD.open("/", O_PATH | O_DIRECTORY)) }
        let used = try open()
        pieces.insert(used, 1, in: 0)
        // The same directory in another layer is another file.
        #expect(pieces.find(1, in: 1) == nil)
        for number in 2...40 {
            #expect(pieces.find(1, in: 0) === used)
            pieces.insert(try open(), UInt32(number), in: number % 3)
            #expect(pieces.count <= 4)
        }
        #expect(pieces.find(2, in: 2) == nil)
        #expect(pieces.find(40, in: 1) != nil)
        #expect(pieces.find(1, in: 0) === used)
    }

    @Test func `the first of two threads that open one directory wins`() throws {
        let pieces = OpenPieces(capacity: 1)
        let first = OpenFile(try OwnedFD.open("/", O_PATH | O_DIRECTORY))
        pieces.insert(first, 7, in: 3)
        pieces.insert(OpenFile(try OwnedFD.open("/", O_PATH | O_DIRECTORY)), 7, in: 3)
        #expect(pieces.find(7, in: 3) === first)
    }
}
