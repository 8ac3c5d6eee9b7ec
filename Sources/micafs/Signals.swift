import Glibc
import SystemPackage

// Written once before any signal can arrive, read in the handler, which can capture nothing.
private nonisolated(unsafe) var unmountTarget: UnsafeMutablePointer<CChar>?

/// SIGTERM and SIGINT unmount; the daemon ends when the last user is gone.
enum Signals {
    static func unmountOnTermination(_ path: FilePath) {
        unmountTarget = path.withPlatformString { strdup($0) }
        for number in [SIGTERM, SIGINT] {
            signal(number) { _ in
                if let unmountTarget { umount2(unmountTarget, CInt(MNT_DETACH)) }
            }
        }
        for number in [SIGHUP, SIGPIPE] { signal(number, SIG_IGN) }
    }
}
