import CFUSE
import FUSE
import Glibc
import Layers
import Linux
import Mount
import SystemPackage
import Union

/// The FUSE daemon: one process serves one mount, and ends with it.
@main
struct Micafs {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.contains("--help") || arguments.contains("-h") {
            print(Arguments.usage)
            return
        }
        if arguments.contains("--version") || arguments.contains("-V") {
            print("micafs \(Version.current)\nlibfuse \(String(cString: fuse_pkgversion()))")
            return
        }
        do {
            try run(Arguments(arguments))
        } catch let failure as Failure {
            complain(failure.description)
            exit(failure.exitCode)
        } catch {
            complain("\(error)")
            exit(1)
        }
    }

    private static func run(_ arguments: Arguments) throws {
        // Everything that can fail fails here, while somebody reads stderr.
        let lower: any LowerTree
        if arguments.lowers.isEmpty {
            let layout = StoreLayout(root: arguments.store)
            let index = try LayerIndex(arguments.chain, verifying: false)
            lower = ChainLower(index: index, contents: LayerContents(layout: layout, index: index))
        } else {
            lower = try DirectoryStack(layers: arguments.lowers, attributes: "trusted.overlay.")
        }
        let lock = try arguments.lock.map { path in
            guard let lock = try naming("lock \(path)", { try FileLock(trying: path) }) else {
                throw Failure("\(path) is locked: another micafs serves it")
            }
            // Held until the process ends.
            return lock.release()
        }
        let log = try Log(arguments.log, name: "\(arguments.source) (\(arguments.target))")
        var upper: Upper?
        if let directory = arguments.upper, let work = arguments.work {
            upper = try Upper(directory, work: work, metacopy: true)
        }
        let union = try UnionTree(lower: lower, upper: upper)
        guard geteuid() == 0 else {
            throw Failure("mounting needs root", advice: "Mounts by ordinary users are not there yet.")
        }
        let session = try naming("open /dev/fuse") {
            try Session(operations: MountedTree(union)) { log.write($0) }
        }
        let target = try absolute(arguments.target)
        try naming("mount at \(target)") {
            try session.mount(source: arguments.source, at: target, flags: arguments.mountFlags)
        }
        Signals.unmountOnTermination(target)
        if arguments.isForeground {
            session.run(threads: arguments.threads) {}
        } else {
            let daemon = try Daemon.detach(whenReadyAt: target, device: session.device)
            session.run(threads: arguments.threads) { daemon.report() }
        }
        union.close()
        _ = lock
    }

    /// The daemon's working directory becomes `/`.
    private static func absolute(_ path: FilePath) throws -> FilePath {
        guard let resolved = path.withPlatformString({ realpath($0, nil) }) else {
            throw Failure("\(path)", .last)
        }
        defer { free(resolved) }
        return FilePath(platformString: resolved)
    }
}
