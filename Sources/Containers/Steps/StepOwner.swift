import Runner

/// Which process runs a step, and which cgroup its command is in: a label of the step's snapshot. Once that process is
/// gone, the snapshot is garbage.
struct StepOwner: Sendable, Equatable {
    static let label = "mica.build"

    let container: String
    let process: ProcessIdentity

    init(container: String, process: ProcessIdentity) {
        self.container = container
        self.process = process
    }

    var text: String { "\(container) \(process.pid) \(process.started)" }

    init?(text: String) {
        let parts = text.split(separator: " ").map(String.init)
        guard parts.count == 3, let pid = Int32(parts[1]), let started = UInt64(parts[2]),
            parts[0].utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        container = parts[0]
        process = ProcessIdentity(pid: pid, started: started)
    }
}
