import Glibc
import Linux
import Nodes
import Synchronization

/// What a removed file took comes back with its last FORGET, which the kernel sends when the removal is answered and
/// for which nobody waits; and to free a large file takes its time. `rm` and then `cp` on a full disk must not fail
/// because of that, and `df` in between must not lie.
struct RoomRetry {
    private let session: Session
    private var attempts = 0
    private var wasHopeful = true

    /// How long the FORGET of a removed file may take to come, in nanoseconds: what takes longer is open. And how long
    /// somebody waits who only wants to know.
    private static let longest: UInt64 = 1_000_000_000
    private static let curious: UInt64 = 100_000_000
    /// Milliseconds between two looks, of which there are so many at most.
    private static let pause: UInt32 = 1
    private static let most = 10_000

    init(_ session: Session) { self.session = session }

    /// Whether to try again what failed for want of room. Sleeps before it says so, except the first time.
    mutating func isWorthwhile(after error: FSError) -> Bool {
        guard error.errno == ENOSPC || error.errno == EDQUOT else { return false }
        // It may have come back between the failure and this look.
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

    /// The same, where there is little: for whoever is about to write without asking us.
    static func waitForNeededRoom(_ session: Session) throws(FSError) {
        guard session.operations.mayGainRoom(within: curious) else { return }
        let status = try session.operations.statistics()
        if status.availableBlocks < status.blocks / 10 { waitForRoom(session) }
    }

    /// False where nobody would be left to read the FORGET.
    private func pause() -> Bool {
        let others = session.waiting.wrappingAdd(1, ordering: .relaxed).oldValue
        defer { session.waiting.wrappingSubtract(1, ordering: .relaxed) }
        guard others < session.mostWaiting else { return false }
        usleep(RoomRetry.pause * 1000)
        return true
    }
}
