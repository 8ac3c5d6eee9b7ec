import Linux
import SystemPackage

extension ControlGroup {
    /// Whether the kernel has killed a process in it for lack of memory.
    package var hasKilledForMemory: Bool {
        hierarchies.contains { hierarchy in
            let text =
                switch hierarchy.version {
                case .two: hierarchy.text(of: "memory.events", id)
                case .one:
                    hierarchy.controllers.contains("memory")
                        ? hierarchy.text(of: "memory.oom_control", id) : nil
                }
            let line = text?.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
            return line.map { $0 != "oom_kill 0" } ?? false
        }
    }
}
