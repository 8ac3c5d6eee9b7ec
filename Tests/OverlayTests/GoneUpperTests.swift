import Glibc
import Linux
import Overlay
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40)))
struct `An upper that was taken away` {
    /// As a commit does it, which holds what a mount waits for until the directories are gone.
    @Test(arguments: [true, false]) func `while somebody waited for it is not mounted`(isReplaced: Bool)
        throws
    {
        let test = try TestDirectory()
        let directory = test.path
        let (upper, work) = (directory.appending("upper"), directory.appending("work"))
        for path in [upper, work] { try path.makeDirectories() }
        let holder = try OwnedFD.open(work, O_RDONLY | O_DIRECTORY)
        #expect(holder.use { flock($0, LOCK_EX) } == 0)
        let failure = #expect(throws: Failure.self) {
            _ = try Upper(
                upper,
                work: work,
                mayWait: {
                    try? directory.removeTree()
                    if isReplaced { for path in [upper, work] { try? path.makeDirectories() } }
                    return holder.use { flock($0, LOCK_UN) } == 0
                }
            )
        }
        #expect(failure?.message.contains("gone") == true)
    }
}
