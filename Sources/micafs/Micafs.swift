import CFUSE
import CLinux
import FUSE
import Glibc
import Layers
import Linux
import Mount
import Options
import Overlay
import SystemPackage
import Union

/// The FUSE daemon: one process serves one mount, and ends with it.
@main
struct Micafs {
    static func main() {
        do {
            let arguments = try Arguments(Micafs.arguments)
            switch arguments.request {
            case .help: print(Usage.text)
            case .version: print(version)
            case .materialize: try materialize(arguments)
            case .mount: try mount(arguments)
            }
        } catch let failure as Failure {
            complain(failure.description)
            exit(failure.exitCode)
        } catch {
            complain("\(error)")
            exit(1)
        }
    }

    /// The raw arguments without the program's name: paths are bytes, and `CommandLine.arguments` repairs them.
    private static var arguments: [[UInt8]] {
        (1..<max(Int(CommandLine.argc), 1)).compactMap { CommandLine.unsafeArgv[$0] }.map {
            UnsafeBufferPointer(start: $0, count: strlen($0)).map { UInt8(bitPattern: $0) }
        }
    }

    /// The second line is for scripts that ask fuse-overlayfs for its version.
    private static var version: String {
        """
        micafs \(Version.current)
        fuse-overlayfs: version 1.14 (whose options micafs takes)
        FUSE library version \(String(cString: fuse_pkgversion()))
        """
    }

    private static func mount(_ arguments: Arguments) throws {
        // Descriptors that a careless caller left open would stay open as long as the mount.
        let inherited = [arguments.lockDescriptor, arguments.readyDescriptor].compactMap(\.self)
        clinux_close_from(3, inherited, CInt(inherited.count))
        // A stack may have more layers than the default limit of open files allows.
        OpenFileLimit.raise()
        // Everything that can fail fails here, while the caller reads stderr. The lock's descriptor is only held: it
        // closes with the process.
        try inherit(arguments.lockDescriptor, "--lock-fd")
        try inherit(arguments.readyDescriptor, "--ready-fd")
        let lock = try arguments.lock.map { path in
            guard let lock = try naming("lock \(path)", { try FileLock(trying: path) }) else {
                throw Failure("\(path) is locked: another micafs serves it")
            }
            // Held until the process ends.
            return lock.release()
        }
        Signals.hold()
        // The signal waits until there is a mount. A caller that has ended already does not get the byte of --ready-fd.
        if arguments.endsWithCaller { _ = clinux_end_with_parent(SIGTERM) }
        let usesUserXattrs = arguments.usesUserXattrs || !Privileges.canSetTrustedXattrs
        let lower = try lower(of: arguments, usesUserXattrs: usesUserXattrs)
        let upper = try upper(of: arguments, usesUserXattrs: usesUserXattrs)
        let log = try Log(
            arguments.log,
            name: "\(String(decoding: arguments.source, as: UTF8.self)) (\(arguments.target))",
            isForeground: arguments.isForeground
        )
        let union = try UnionTree(lower: lower, upper: upper) { log.write($0) }
        let backings = try passthrough(arguments.io)
        try checkRings(arguments.transport)
        let session = try naming("start libfuse") {
            try Session(
                operations: arguments.identity.apply(to: tree(union, backings)),
                // Serving one request at a time gains nothing from rings.
                transport: arguments.threads == 1 && arguments.transport == .automatic
                    ? .device : arguments.transport,
                scheduling: arguments.scheduling,
                supportsACLs: arguments.identity.supportsACLs,
                backings: backings,
                writesBack: arguments.writesBack,
                isDebugging: arguments.isDebugging
            ) { log.write($0) }
        }
        let target = try absolute(arguments.target)
        try session.mount(request(arguments, at: target))
        do {
            try serve(union, session, arguments, at: target, log)
        } catch {
            // No process would ever answer requests.
            try? session.unmount()
            throw error
        }
        _ = lock
    }

    /// Returns when the mount is gone.
    private static func serve(
        _ union: UnionTree,
        _ session: Session,
        _ arguments: Arguments,
        at target: FilePath,
        _ log: Log
    ) throws {
        let daemon = try daemon(arguments, session, at: target, log)
        // The removed files that are held open, the layers and directories in them, and what is being served.
        OpenFileLimit.makeRoom(for: 2048, using: session.device)
        // Not on this thread: Swift's locks remember the number that it had before the fork, so that a thread that
        // waits for one of them would wait for a thread that does not exist.
        let server = try naming("start a thread") {
            try WorkerThread {
                Signals.unmountOnTermination(session, union, log: log)
                announce(session, arguments, log)
                fill(union, arguments, log)
                session.run(threads: arguments.threads) { daemon?.report(session) }
                union.close()
            }
        }
        server.join()
    }

    /// Writes into the lock file which process serves which filesystem. Call it after the last fork.
    private static func announce(_ session: Session, _ arguments: Arguments, _ log: Log) {
        guard let device = session.deviceName else { return }
        do throws(Errno) {
            if let descriptor = arguments.lockDescriptor {
                // The original is the lock and stays open.
                let copy = OwnedFD(adopting: try Errno.check(fcntl(descriptor, F_DUPFD_CLOEXEC, 3)))
                try MountDaemon.announce(device, writesBack: arguments.writesBack, in: copy)
            } else if let path = arguments.lock {
                let lock = try OwnedFD.open(path, O_WRONLY)
                try MountDaemon.announce(device, writesBack: arguments.writesBack, in: lock)
            }
        } catch {
            log.write("note in the lock file who serves the mount: \(error)")
        }
    }

    private static func inherit(_ descriptor: CInt?, _ option: String) throws {
        guard let descriptor, fcntl(descriptor, F_SETFD, FD_CLOEXEC) == -1 else { return }
        throw Failure("\(option) \(descriptor) is not an open descriptor", exitCode: 2)
    }

    /// nil: this process runs in the foreground.
    private static func daemon(
        _ arguments: Arguments,
        _ session: Session,
        at target: FilePath,
        _ log: Log
    ) throws -> Daemon? {
        if let ready = arguments.readyDescriptor { return try Daemon.become(reportingTo: ready) }
        return arguments.isForeground ? nil : try Daemon.detach(whenReadyAt: target, session, log)
    }

    /// The passthrough state; nil in cached mode.
    private static func passthrough(_ io: IOMode) throws -> Backings? {
        guard io == .passthrough else { return nil }
        guard Machine.isKernel(atLeast: 6, 9) else {
            throw Failure("io=passthrough needs Linux 6.9; this is \(Machine.kernel.release)")
        }
        // The same capability in the same namespace: CAP_SYS_ADMIN in the initial one.
        guard Privileges.canSetTrustedXattrs else {
            throw Failure("io=passthrough needs CAP_SYS_ADMIN in the first user namespace")
        }
        return Backings()
    }

    /// Explains, as `mica doctor` does, why there are no rings where nothing else is allowed.
    private static func checkRings(_ transport: Transport) throws {
        guard transport == .uring, Machine.hasFUSERings != true else { return }
        guard Machine.hasFUSERings != nil else {
            throw Failure(
                "transport=io_uring needs Linux 6.14; this is \(Machine.kernel.release)",
                advice: "Leave it out: requests come through /dev/fuse then."
            )
        }
        throw Failure(
            "transport=io_uring: the kernel has FUSE over io_uring, switched off",
            advice: "As root, before mounting: echo Y > /sys/module/fuse/parameters/enable_uring"
        )
    }

    private static func tree(_ union: UnionTree, _ backings: Backings?) -> any Operations {
        backings.map { PassthroughTree(union, $0) } ?? union
    }

    static func upper(of arguments: Arguments, usesUserXattrs: Bool) throws -> Upper? {
        guard let directory = arguments.upper, let work = arguments.work else { return nil }
        return try Upper(
            directory,
            work: work,
            userxattr: usesUserXattrs,
            volatile: arguments.isVolatile,
            // A file without data needs a redirect when it is renamed, too.
            metacopy: arguments.makesRedirects
                && arguments.allowsMetacopy ?? (arguments.lower.isImage || arguments.request == .materialize),
            redirects: arguments.makesRedirects,
            keepsAccessTimes: arguments.mountFlags & UInt(MS_NOATIME | MS_RDONLY) != 0,
            keepsDirectoryTimes: arguments.mountFlags & UInt(MS_NODIRATIME) != 0,
            keepsOwners: arguments.keepsOwners,
            mayWait: EndingDaemon(of: work).wait
        )
    }

    /// Call it after the last fork.
    private static func fill(_ union: UnionTree, _ arguments: Arguments, _ log: Log) {
        guard arguments.fillsWhenIdle else { return }
        do { try union.startFilling() } catch { log.write("no thread can be had to fill files: \(error)") }
    }

    static func lower(of arguments: Arguments, usesUserXattrs: Bool) throws -> any LowerTree {
        switch arguments.lower {
        case .chain(let chain, let store):
            let (chain, layout) = (try absolute(chain), StoreLayout(root: try absolute(store)))
            let index = try LayerIndex(chain, verifying: false)
            let contents = LayerContents(
                layout: layout,
                index: index,
                holdsPacksOnce: arguments.io == .passthrough
            )
            return ChainLower(index: index, contents: contents)
        case .directories(let directories):
            return try DirectoryStack(
                layers: directories,
                marks: usesUserXattrs ? .user : .trusted
            )
        }
    }

    private static func request(_ arguments: Arguments, at target: FilePath) -> MountRequest {
        var request = MountRequest(source: arguments.source, target: target)
        request.subtype = arguments.subtype
        request.flags = arguments.mountFlags
        request.propagation = arguments.propagation
        // As in fuse-overlayfs: the root of a user namespace then serves all users of the namespace.
        request.allowsOther = arguments.allowsOther || geteuid() == 0
        request.contexts = arguments.contexts
        return request
    }

    /// Resolves a path before the daemon's working directory becomes `/`.
    private static func absolute(_ path: FilePath) throws -> FilePath {
        guard let resolved = path.withPlatformString({ realpath($0, nil) }) else {
            throw Failure("\(path)", .last)
        }
        defer { free(resolved) }
        return FilePath(platformString: resolved)
    }
}
