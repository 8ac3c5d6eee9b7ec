import Foundation
import Glibc
import Linux
import Scratch
import Synchronization
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Opening inside of a root` {
    /// The kernel gives a walk of `..` up with EAGAIN when a rename happens meanwhile, wherever that is.
    @Test func `goes on while others rename`() throws {
        let directory = FilePath("\(Scratch.prefix("linux"))\(UUID())")
        try directory.appending("a/b").makeDirectories()
        defer { try? directory.removeTree() }
        let isOver = Atomic(false)
        let names = ["one", "two"].map { directory.appending($0).string }
        close(Glibc.open(names[0], O_WRONLY | O_CREAT, 0o644))
        let renamer = try WorkerThread {
            var name = 0
            while !isOver.load(ordering: .relaxed) {
                rename(names[name], names[1 - name])
                name = 1 - name
            }
        }
        defer {
            isOver.store(true, ordering: .relaxed)
            renamer.join()
        }
        let root = try OwnedFD.open(directory, O_PATH | O_DIRECTORY)
        for _ in 0..<5000 { _ = try root.open(inRoot: "a/../a/../a/../a/b", O_PATH) }
    }
}
