import Glibc
import Linux
import Nodes
import Synchronization

/// Trying again what failed on a full disk. A removed file's room comes back with its last FORGET, which the kernel
/// sends after the reply to the removal and does not wait for, and a large file takes time to free. `rm` and then
/// `cp` on a full disk must not fail because of that, nor `df` in between be wrong.
struct RoomRetry {
    private let session: Session
    private var attempts = 0
    private var wasHopeful = true

    /// How many nanoseconds the FORGET of a removed file may take to come: if it takes longer, the file is open. And
    /// how long a request that only asks for the room waits.
    private static let longest: UInt64 = 1_000_000_000
    private static let curious: UInt64 = 100_000_000
    /// How many milliseconds pass between two attempts, and how many attempts there are at most.
    private static let pause: UInt32 = 1
    private static let most = 10_000

    init(_ session: Session) { self.session = session }

    /// Whether to try again what failed for want of room. Sleeps first, except before the first attempt.
    mutating func isWorthwhile(after error: FSError) -> Bool {
        guard error.errno == ENOSPC || error.errno == EDQUOT else { return false }
        // The room may have come back between the failure and this look.
        let isHopeful = session.operations.mayGainRoom(within: RoomRetry.longest)
        defer { wasHopeful = isHopeful }
        guard isHopeful || wasHopeful, attempts < RoomRetry.most else { return false }
        if attempts > 0, !pause() { return false }
        attempts += 1
        return true
    }

    /// Returns when no room is about to come back.
    static func waitForRoom(_ session: Session) {
        var retry = RoomRetry(session)
        while session.operations.mayGainRoom(within: curious), retry.attempts < most, retry.pause() {
            retry.attempts += 1
        }
    }

    /// The same where little room is left, for a file that the kernel is about to write without asking the daemon.
    static func waitForNeededRoom(_ session: Session) throws(FSError) {
        guard session.operations.mayGainRoom(within: curious) else { return }
        let status = try session.operations.statistics()
        if status.availableBlocks < status.blocks / 10 { waitForRoom(session) }
    }

    /// False where no thread would be left to read the FORGET.
    private func pause() -> Bool {
        let others = session.waiting.wrappingAdd(1, ordering: .relaxed).oldValue
        defer { session.waiting.wrappingSubtract(1, ordering: .relaxed) }
        guard others < session.mostWaiting else { return false }
        usleep(RoomRetry.pause * 1000)
        return true
    }
}
