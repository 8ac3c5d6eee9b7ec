import SystemPackage

import Glibc

/// Looks for a filesystem in the mount namespaces that there are, in each once, for as long as there is time.
struct MountSearch {
    private let device: String
    /// As CLOCK_MONOTONIC has it.
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
        // Of a process that is just ending the table is empty, and of another one it may not be.
        if sawAny { places[namespace] = .some(place) }
        return (namespace, place)
    }
}
