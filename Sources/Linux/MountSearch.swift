import SystemPackage

import Glibc

/// Looks for a filesystem in the existing mount namespaces, in each once, as long as there is time.
struct MountSearch {
    private let device: String
    /// The search ends when one of these clocks reaches its time.
    private let ends: [(clock: clockid_t, time: Int64)]
    /// By namespace.
    private var places: [[UInt8]: FilePath?] = [:]

    /// `device`: as in `MountTable.Entry.device`. The search ends after `milliseconds` of this thread's CPU time, which
    /// a busy machine does not use up, or after ten times as long by the clock.
    init(_ device: String, milliseconds: Int64) {
        self.device = device
        let length = milliseconds * 1_000_000
        ends = [(CLOCK_THREAD_CPUTIME_ID, length), (CLOCK_MONOTONIC, 10 * length)].map {
            ($0, KernelClock.now($0) + $1)
        }
    }

    var isLate: Bool { ends.contains { KernelClock.now($0.clock) >= $0.time } }

    /// Where the namespace of process `pid` shows it. nil where the process may not be looked at.
    mutating func look(by pid: Int32) -> (namespace: [UInt8], place: FilePath?)? {
        guard let namespace = FilePath("/proc/\(pid)/ns/mnt").target else { return nil }
        if let known = places[namespace] { return (namespace, known) }
        guard let table = try? OwnedFD.open(FilePath("/proc/\(pid)/mountinfo"), O_RDONLY) else {
            return (namespace, nil)
        }
        let (place, sawAny) = MountTable.place(of: device, in: table) { isLate }
        // An ending process's table is empty, while that of another process in the namespace may not be.
        if sawAny { places[namespace] = .some(place) }
        return (namespace, place)
    }
}
