import Linux
import Runner
import Snapshots
import SystemPackage

import Glibc

extension Containers {
    /// Takes a container's lock as soon as it is free. nil when a monitor runs the container, and would hold the
    /// lock until that ends; every other holder (one that starts the container or cleans up, say) releases it before
    /// long.
    ///
    /// Failure (notFound, with `exitCode`) where the container has been removed.
    func lockUnlessRunning(_ container: Container, exitCode: Int32 = 1) throws -> FileLock? {
        while true {
            if let lock = try lockIfFree(container, exitCode: exitCode) {
                // The locked container may just have been removed.
                guard container.files.directory.exists else {
                    throw Containers.removed(container, exitCode: exitCode)
                }
                return lock
            }
            let state = container.files.readState()
            // A running state without a living monitor is a leftover that another process is cleaning up.
            if state?.phase == .running, state?.monitor?.open() != nil { return nil }
            usleep(10_000)
        }
    }

    private func lockIfFree(_ container: Container, exitCode: Int32) throws -> FileLock? {
        do throws(Errno) {
            return try FileLock(trying: container.files.lock)
        } catch {
            guard error == .noSuchFileOrDirectory else {
                throw Failure("lock container \(container.record.name)", error, exitCode: exitCode)
            }
            throw Containers.removed(container, exitCode: exitCode)
        }
    }

    private static func removed(_ container: Container, exitCode: Int32) -> Failure {
        Failure(
            "container \(container.record.name) has been removed",
            kind: .notFound,
            exitCode: exitCode
        )
    }

    /// Whether the error is `alreadyRuns`, raised by this process or reported by a monitor.
    static func saysItRuns(_ error: any Error, _ container: Container) -> Bool {
        (error as? Failure)?.message == alreadyRuns(container).message
    }

    /// Another process started the container first.
    static func alreadyRuns(_ container: Container) -> Failure {
        Failure(
            "container \(container.record.name) \(ContainerPhase.running.description)",
            kind: .failedPrecondition,
            exitCode: ExitStatus.failed.rawValue
        )
    }
}
