import Containerd
import Linux
import Logging
import ServiceLifecycle

/// What is to be done from time to time: micafs processes that have ended are taken away, and systemd's watchdog hears
/// that the service answers.
struct Housekeeping: Service {
    let service: ContainerdSnapshots
    let log: Logger

    func run() async throws {
        do { try ServiceNotice.ready.send() } catch { log.warning("\(Printable.text("\(error)"))") }
        let interval = ServiceNotice.watchdogInterval.map { Duration.microseconds($0 / 3) } ?? .seconds(1)
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: min(interval, .seconds(1)))) != nil {
                HostProcess.reapLeft()
                if ServiceNotice.watchdogInterval != nil { await feedWatchdog() }
            }
        }
    }

    /// Only a service that can read its store is alive.
    private func feedWatchdog() async {
        do {
            try await BlockingWork.run(.looking) { try service.probe() }
            try ServiceNotice.alive.send()
        } catch {
            log.error("the store can't be read", metadata: ["error": "\(Printable.text("\(error)"))"])
        }
    }
}
