import Containerd
import Linux
import MountFixtures
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40)), .enabled(if: ServiceStore.isPossible, "mounts: needs root and /dev/fuse"))
struct `A snapshot in another mount namespace` {
    private let box: ServiceStore
    private var service: ContainerdSnapshots { box.service }

    init() throws { box = try ServiceStore() }

    private func kind<R>(_ body: () throws -> R) -> Failure.Kind? {
        do {
            _ = try body()
            return nil
        } catch { return (error as? Failure)?.kind }
    }

    @Test func `is not taken from what runs there`() throws {
        let place = try box.place(service.prepare("busy", parent: "", labels: [:]))
        try box.write("kept", to: place.appending("f"))
        let elsewhere = try box.workspace.directory("elsewhere")
        let other = try OtherNamespace(after: "mount --bind \(place) \(elsewhere)")
        #expect(kind { try service.remove("busy") } == .failedPrecondition)
        #expect(kind { try service.commit("busy", as: "n", parent: "", labels: [:]) } == .failedPrecondition)
        let seen = FilePath("/proc/\(other.pid)/root\(elsewhere)")
        #expect(try box.text(of: seen.appending("f")) == "kept")
        other.end()
        try service.commit("busy", as: "n", parent: "", labels: [:])
        let view = try box.place(service.view("v", parent: "n", labels: [:]))
        #expect(try box.text(of: view.appending("f")) == "kept")
    }

    @Test func `goes where the namespace only has a copy of its mount`() throws {
        _ = try service.prepare("idle", parent: "", labels: [:])
        let other = try OtherNamespace(after: "true")
        try service.remove("idle")
        #expect(kind { try service.stat("idle") } == .notFound)
        #expect(FilePath("/proc/\(other.pid)/root").exists)
        other.end()
    }
}
