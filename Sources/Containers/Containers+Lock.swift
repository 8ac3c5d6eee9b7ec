import Linux
import Runner
import Snapshots
import SystemPackage

import Glibc

extension Containers {
    /// A container's lock, as soon as nobody has it; nil where somebody runs the container, and would have it until that
    /// ends. Who else has it, to start the container or to clean up behind it, say, lets go of it before long.
    ///
    /// Failure (notFound, with `exitCode`) where the container has been removed.
    func lockUnlessRunning(_ container: Container, exitCode: Int32 = 1) throws -> FileLock? {
        while true {
            if let lock = try lockIfFree(container, exitCode: exitCode) {
                // What was locked may have been on its way out.
                guard container.files.directory.exists else {
                    throw Containers.removed(container, exitCode: exitCode)
                }
                return lock
            }
            let state = container.files.readState()
            // Without its supervisor it is what that has left, and somebody is cleaning it up.
            if state?.phase == .running, state?.supervisor?.open() != nil { return nil }
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

    /// Whether it is what `alreadyRuns` says, of this process or of a supervisor.
    static func saysItRuns(_ error: any Error, _ container: Container) -> Bool {
        (error as? Failure)?.message == alreadyRuns(container).message
    }

    /// Whoever wanted to run it was too late.
    static func alreadyRuns(_ container: Container) -> Failure {
        Failure(
            "container \(container.record.name) \(ContainerPhase.running.description)",
            kind: .failedPrecondition,
            exitCode: ExitStatus.failed.rawValue
        )
    }
}
