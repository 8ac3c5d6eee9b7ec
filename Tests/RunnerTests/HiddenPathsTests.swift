import ContainerFixtures
import Foundation
import Linux
import Runner
import SystemPackage
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40)), .enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
struct `Of the kernel's files` {
    let root: TestRoot
    init() throws { root = try TestRoot() }

    /// The lists as other programs have them: those below only say what is done with what is in ours.
    @Test func `all are hidden that docker and containerd hide`() {
        let masked = [
            "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys",
            "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
            "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
        ]
        let readOnly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        #expect(masked.filter { !HiddenPaths.masked.contains($0) } == [])
        #expect(readOnly.filter { !HiddenPaths.readOnly.contains($0) } == [])
    }

    @Test(arguments: HiddenPaths.masked.filter { FilePath($0).exists })
    func `a masked one is empty`(_ path: String) throws {
        let outcome = try root.shell(
            "if test -d \(path); then ls -A \(path); else cat \(path); fi; echo status $?"
        )
        #expect(outcome.output == "status 0\n")
    }

    @Test(arguments: HiddenPaths.readOnly.filter { FilePath($0).exists })
    func `a read-only one can't be changed`(_ path: String) throws {
        let script = """
            file=\(path); test -d \(path) && file=$(/bin/busybox find \(path) -type f -perm -200 | head -n 1)
            test "$file" || { echo none; exit; }
            echo 1 > $file
            """
        let outcome = try root.shell(script)
        #expect(outcome.output == "none\n" || outcome.error.contains("Read-only file system"), "\(outcome)")
    }

    @Test func `/sys can't be changed, wherever one could write on the host`() throws {
        let outcome = try root.shell("mkdir /sys/fs/cgroup/x; echo 1 > /sys/kernel/mm/ksm/run; touch /sys/x")
        #expect(!outcome.error.isEmpty && outcome.status != 0)
    }
}
