import CLinux
import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

/// A containerd and a micad of the test's own, with everything they have below one directory.
final class ContainerdFixture {
    private static let programs: [String] = [
        "/usr/bin/containerd", "/usr/bin/ctr", "/usr/sbin/runc", "/bin/busybox",
    ]
    static let isPossible = geteuid() == 0 && programs.allSatisfy { access($0, X_OK) == 0 }
    static let isBuilt = access(Tool.binaries.appendingPathComponent("micad").path, X_OK) == 0

    /// Far above what anything here takes.
    static let patience = 120

    let workspace: Workspace
    var path: String { workspace.path }
    var store: String { "\(path)/store" }
    var socket: String { "\(path)/run/micad.sock" }
    var metrics: String { "\(path)/run/metrics.sock" }
    var address: String { "\(path)/containerd.sock" }
    private(set) var micad: pid_t = 0
    private var containerd: pid_t = 0
    private let sandboxImage: String?

    /// `sandboxImage`: with the container runtime interface, and this as the image of pods.
    init(sandboxImage: String? = nil) throws {
        self.sandboxImage = sandboxImage
        workspace = try Workspace()
        try startMicad()
        try configuration.write(toFile: "\(path)/config.toml", atomically: false, encoding: .utf8)
        containerd = try start(["/usr/bin/containerd", "-c", "\(path)/config.toml"], log: "containerd.log")
        try wait("containerd to answer") { (try? ctr("version")) != nil }
    }

    private var configuration: String {
        """
        version = 2
        root = "\(path)/root"
        state = "\(path)/state"
        disabled_plugins = [\(sandboxImage == nil ? "\"io.containerd.grpc.v1.cri\"" : "")]
        [grpc]
          address = "\(address)"
        [ttrpc]
          address = "\(path)/containerd.ttrpc"
        [proxy_plugins.mica]
          type = "snapshot"
          address = "\(socket)"
        \(sandboxImage.map(runtimeInterface) ?? "")
        """
    }

    /// Streams (port 0: none that is taken) and networks are not what is tried; a machine for tests may have no right to
    /// lower the score by which the kernel chooses what to end.
    private func runtimeInterface(_ sandboxImage: String) -> String {
        """
        [plugins."io.containerd.grpc.v1.cri"]
          sandbox_image = "\(sandboxImage)"
          stream_server_port = "0"
          restrict_oom_score_adj = true
          disable_apparmor = true
          stats_collect_period = 1
          [plugins."io.containerd.grpc.v1.cri".containerd]
            snapshotter = "mica"
            disable_snapshot_annotations = false
          [plugins."io.containerd.grpc.v1.cri".cni]
            bin_dir = "\(path)/cni"
            conf_dir = "\(path)/cni"
        """
    }

    /// Returns once it listens. That a killed one left is not taken for it.
    func startMicad() throws {
        let program = Tool.binaries.appendingPathComponent("micad").path
        let before = try? FilePath(socket).status().st_ino
        micad = try start(
            [
                program, "--root", store, "--socket", socket, "--state", "\(path)/run", "--containerd",
                address, "--metrics", metrics,
            ],
            log: "micad.log"
        )
        try wait("micad to listen") {
            let now = try? FilePath(socket).status().st_ino
            return now != nil && now != before
        }
        guard containerd > 0 else { return }
        // Which tries again when it likes to, and only asks micad where the namespace has snapshots.
        let namespace = sandboxImage == nil ? "default" : "k8s.io"
        try wait("containerd to find it") {
            (try? ctr("-n", namespace, "snapshots", "--snapshotter", "mica", "ls")) != nil
        }
    }

    /// `signal` to micad, and its end: the wait status.
    @discardableResult
    func endMicad(_ signal: CInt) throws -> CInt {
        kill(micad, signal)
        defer { micad = 0 }
        var status: CInt = 0
        try Errno.retrying { waitpid(micad, &status, 0) }
        return status
    }

    @discardableResult
    func ctr(_ arguments: String...) throws -> String {
        try Tool.run(URL(fileURLWithPath: "/usr/bin/ctr"), ["-a", address] + arguments)
    }

    /// Makes a snapshot; the command that mounts it at `directory`.
    func prepare(_ key: String, over parent: String, at directory: String) throws -> String {
        try ctr("snapshots", "--snapshotter", "mica", "prepare", "--target", directory, key, parent)
            .trimmingCharacters(in: .newlines)
    }

    @discardableResult
    func mica(_ arguments: String...) throws -> String {
        try Tool.run(Tool.binaries.appendingPathComponent("mica"), arguments, store: store)
    }

    /// What a newer containerd would ask micad's diff service for.
    func client(_ arguments: String...) throws -> String { try client(arguments) }

    func client(_ arguments: [String]) throws -> String {
        let program = Tool.binaries.appendingPathComponent("MicadClient")
        return try Tool.run(program, [address, socket] + arguments).trimmingCharacters(in: .newlines)
    }

    /// The same without containerd: snapshots are micad's, too.
    func directClient(_ arguments: String...) throws -> String {
        let program = Tool.binaries.appendingPathComponent("MicadClient")
        return try Tool.run(program, [socket, socket] + arguments).trimmingCharacters(in: .newlines)
    }

    @discardableResult
    func shell(_ script: String) throws -> String {
        try Tool.run(URL(fileURLWithPath: "/bin/sh"), ["-c", script])
    }

    /// An archive of an image `NAME:1` with a busybox, which containerd and mica import. `changes`: instructions of a
    /// Dockerfile.
    func archive(_ name: String, file: String, changes: [String] = []) throws -> String {
        let tree = "\(path)/\(name)"
        try shell(
            """
            mkdir -p \(tree)/bin \(tree)/proc \(tree)/dev \(tree)/sys \(tree)/etc \(tree)/run && cd \(tree)
            cp /bin/busybox bin/ && for tool in sh cat echo head ls sleep touch mkdir rm; do ln -s busybox bin/$tool; done
            echo '\(file)' > etc/file && tar -cf \(tree).tar .
            """
        )
        try Tool.run(
            Tool.binaries.appendingPathComponent("mica"),
            ["import", "-q"] + changes.flatMap { ["-c", $0] } + ["\(tree).tar", "\(name):1"],
            store: "\(path)/archives"
        )
        try Tool.run(
            Tool.binaries.appendingPathComponent("mica"),
            ["save", "-o", "\(tree).image", "\(name):1"],
            store: "\(path)/archives"
        )
        return "\(tree).image"
    }

    func wait(_ what: String, for condition: () throws -> Bool) throws {
        for _ in 0..<ContainerdFixture.patience * 20 {
            if try condition() { return }
            usleep(50_000)
        }
        throw Failure("waited in vain for \(what):\n\(log)")
    }

    var log: String {
        ["micad.log", "containerd.log"].map {
            (try? String(contentsOfFile: "\(path)/\($0)", encoding: .utf8)) ?? ""
        }
        .joined(separator: "\n")
    }

    /// Mounts of micafs's, wherever below the directory.
    var micaMounts: [String] {
        MountTable.current(ofType: "fuse.mica").entries.map(\.target.string).filter { $0.hasPrefix(path) }
    }

    private func start(_ command: [String], log: String) throws -> pid_t {
        let output = try OwnedFD.open(FilePath("\(path)/\(log)"), O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        // What containerd starts looks for micad there, which is a mount helper, too.
        let search = "PATH=\(Tool.binaries.path):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        var list = (["/usr/bin/env", search] + command).map { UnsafePointer<CChar>(strdup($0)) }
        defer { for argument in list { free(UnsafeMutablePointer(mutating: argument)) } }
        list.append(nil)
        let pid = clinux_spawn_host("/usr/bin/env", list, [-1, output.raw, output.raw], 3, 1)
        guard pid > 0 else { throw Failure("start \(command[0])", Errno(rawValue: -pid)) }
        return pid
    }

    deinit {
        // What runs goes first: nothing else would end it.
        for namespace in ["default", "k8s.io"] {
            guard let tasks = try? ctr("-n", namespace, "tasks", "ls", "-q") else { continue }
            for task in tasks.split(separator: "\n") {
                _ = try? ctr("-n", namespace, "tasks", "rm", "-f", String(task))
            }
        }
        for pid in [containerd, micad] where pid > 0 {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        // Pods have memory that is mounted, which a pod's end would have taken away.
        for mount in MountTable.current().entries.reversed()
        where mount.target.string.hasPrefix("\(path)/state/") {
            try? Unmount.unmount(mount.target, .lazy)
        }
    }
}
