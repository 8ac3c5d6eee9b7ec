import Linux
import SystemPackage

import Glibc

/// The state of a process in /proc/<pid>/stat at one moment.
struct ProcessStatus {
    /// `R`, `S`, `D`, `T` for stopped, `Z` for one that has ended and was not waited for …
    let state: UInt8
    let parent: Int32
    /// Its start in clock ticks since boot.
    let started: UInt64
    /// As from wait(2); 0 where this process may not know it.
    let exit: Int32

    /// nil when there is no such process.
    init?(of pid: Int32) {
        guard let file = try? OwnedFD.open(FilePath("/proc/\(pid)/stat"), O_RDONLY),
            let bytes = try? file.contents(limit: 65536),
            // The program's name, in parentheses, may itself have spaces and parentheses.
            let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = bytes[(end + 1)...].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
        // The first field here is number 3 of proc(5).
        guard fields.count > 49, let state = fields[0].first,
            let parent = Int32(String(decoding: fields[1], as: UTF8.self)),
            let started = UInt64(String(decoding: fields[19], as: UTF8.self)),
            let exit = Int32(String(decoding: fields[49], as: UTF8.self))
        else { return nil }
        (self.state, self.parent, self.started, self.exit) = (state, parent, started, exit)
    }

    /// Whether it, or only its first thread, has ended.
    var hasEnded: Bool { state == UInt8(ascii: "Z") }
    /// By a signal, or by a tracer.
    var isStopped: Bool { state == UInt8(ascii: "T") }

    /// Its exit status; nil while it runs.
    var exitStatus: ExitStatus? {
        guard hasEnded else { return nil }
        let signal = exit & 0x7f
        return signal == 0 ? ExitStatus(rawValue: exit >> 8 & 0xff) : .killed(by: signal)
    }
}
