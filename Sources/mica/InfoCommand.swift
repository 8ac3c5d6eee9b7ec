import ArgumentParser
import Containers
import Layers
import Linux
import OCI
import Snapshots
import SystemPackage

import Glibc

struct InfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        _superCommandName: Mica.name,
        abstract: "Say where the store is and what is in it.",
        discussion: "What the machine allows, mica doctor says."
    )

    @OptionGroup var global: GlobalOptions

    @Option(name: .shortAndLong, help: "table, json, or a template with docker's fields.")
    var format = "table"

    private struct Report: Encodable {
        var version: String
        var linux: String
        var store: String
        var free: UInt64?
        var images: Int
        var containers: Int
        var running: Int
        var snapshots: Int
        var mounts: Int
        /// The micad that serves the store.
        var service: Service?
    }

    private struct Service: Encodable {
        var pid: Int32
        var socket: String
    }

    func run() throws {
        let store = try Store.open(global.layout)
        let containers = Containers(store)
        let all = try containers.all()
        let report = Report(
            version: Mica.version,
            linux: Machine.kernel.release,
            store: store.layout.root.string,
            free: (try? OwnedFD.open(store.layout.root, O_RDONLY | O_DIRECTORY))?.room,
            images: try store.images().count,
            containers: all.count,
            running: all.count { containers.isRunning($0) },
            snapshots: try store.snapshots().count { $0.kind != .committed },
            mounts: try Mounts(store).all().count,
            service: ServiceStatus(of: store.layout).map { Service(pid: $0.pid, socket: $0.socket) }
        )
        if format == "json" { return try printJSON(report) }
        guard format == "table" else {
            let value = docker(report, paused: all.count { containers.status(of: $0).phase == .paused })
            return try FormatTemplate(format, names: value.keys.sorted(), of: "info").show([.object(value)])
        }
        print(
            """
            Version:     \(report.version)
            Linux:       \(report.linux)
            Store:       \(report.store)
            Free there:  \(report.free.map(Human.size) ?? "?")
            Images:      \(report.images)
            Containers:  \(report.containers), \(report.running) running
            Snapshots:   \(report.snapshots)
            Mounts:      \(report.mounts)
            Served:      \(report.service.map { "by micad, process \($0.pid), at \($0.socket)" } ?? "by no micad")
            """
        )
    }

    /// With docker's names. To docker, paused containers are not running ones.
    private func docker(_ report: Report, paused: Int) -> [String: JSONValue] {
        func number(_ value: Int) -> JSONValue { .integer(Int64(value)) }
        let memory = sysconf(CInt(_SC_PHYS_PAGES)) * sysconf(CInt(_SC_PAGESIZE))
        return [
            "Containers": number(report.containers), "ContainersRunning": number(report.running - paused),
            "ContainersPaused": number(paused),
            "ContainersStopped": number(report.containers - report.running),
            "Images": number(report.images), "Driver": .string("mica"),
            "KernelVersion": .string(report.linux), "OSType": .string(Platform.host.os),
            "Architecture": .string(Platform.host.architecture),
            "NCPU": number(sysconf(CInt(_SC_NPROCESSORS_ONLN))), "MemTotal": number(memory),
            "DockerRootDir": .string(report.store), "ServerVersion": .string(report.version),
            "Name": .string(Machine.setting("/proc/sys/kernel/hostname") ?? ""),
        ]
    }
}
