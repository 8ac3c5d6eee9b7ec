import ArgumentParser
import Containers
import Layers
import Linux
import Runner
import Snapshots

import Glibc

/// What `mica run` is asked for, without a command's property wrappers: to make those takes a tenth of a run.
struct ContainerRun {
    /// The store's directory; nil: the default one.
    var root: String?
    var process: ProcessRequest
    var isDetached: Bool
    var pull: PullPolicy
    var request: RunRequest

    /// Throws an ExitCode with the command's status when it ends, unless it is detached.
    func run() throws { try ExitStatus.ofCommand { try execute() } }

    private func execute() throws {
        let layout = try GlobalOptions.layout(root: root)
        // Checked first: a request that can't work should leave no container behind.
        let console = isDetached ? nil : try Console(process)
        // The monitor starts up while the container is made.
        let monitor = try MonitorProcess(root: layout.root, interactive: !isDetached && process.interactive)
        let store = try Store.open(layout)
        try bringImage(to: store)
        let containers = Containers(store)
        let container = try containers.create(request)
        do {
            if let console {
                let end = try containers.runAttached(container, console.attachment, by: monitor)
                return try console.end(end)
            }
            try containers.runDetached(container, by: monitor)
        } catch let failure as Failure {
            // Its monitor does so, unless that was killed.
            if request.removeAtExit { try? containers.remove(container, force: true) }
            throw failure
        }
        print(container.record.id)
        guard fflush(nil) == 0 else { throw Failure("write to standard output", .last) }
    }

    /// A request that can't work must not pull the image.
    func bringImage(to store: Store) throws {
        try Containers.checkPrivileges()
        if let name = request.name { try ContainerName.check(name) }
        try pull.bring(request.image, to: store)
    }
}
