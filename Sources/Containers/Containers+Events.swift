import Events
import Linux
import Snapshots

extension Containers {
    /// Tells those who follow the store's events what happened to a container, which has its name and image added.
    package func tell(_ action: String, of container: Container, _ attributes: [String: String] = [:]) {
        let record = container.record
        let own = ["name": record.name, "image": record.imageName]
        store.tell(.container, action, of: record.id, own.merging(attributes) { _, more in more })
    }

    /// With the name that it has now: a monitor looked it up long ago.
    func latest(_ container: Container) -> Container {
        (try? self.container(named: container.record.id)) ?? container
    }

    /// Told before the signal is sent: the monitor tells of the end, which is to come behind it.
    func tellKill(of container: Container, _ signal: Signal) {
        tell("kill", of: container, ["signal": "\(signal.rawValue)"])
    }

    /// Tells that a running container has ended. `exitCode`: nil where that was not observed.
    func tellEnd(of container: Container, exitCode: Int32?, killedForMemory: Bool = false) {
        let latest = latest(container)
        if killedForMemory { tell("oom", of: latest) }
        tell("die", of: latest, exitCode.map { ["exitCode": "\($0)"] } ?? [:])
    }
}
