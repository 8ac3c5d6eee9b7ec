import SystemPackage

import Glibc

/// Looks for a filesystem in the existing mount namespaces, in each once, as long as there is time.
struct MountSearch {
    private let device: String
    /// A time of CLOCK_MONOTONIC.
    private let end: Int64
    /// By namespace.
    private var places: [[UInt8]: FilePath?] = [:]

    /// `device`: as `MountTable.Entry.device`.
    init(_ device: String, milliseconds: Int64) {
        self.device = device
        end = KernelClock.now(CLOCK_MONOTONIC) + milliseconds * 1_000_000
    }

    var isLate: Bool { KernelClock.now(CLOCK_MONOTONIC) >= end }

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
