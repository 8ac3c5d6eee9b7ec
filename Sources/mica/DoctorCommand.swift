import ArgumentParser
import Layers
import Linux
import Runner
import SystemPackage

import CLinux
import Glibc

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        _superCommandName: Mica.name,
        abstract: "Say what this machine allows, and how to get what is missing.",
        discussion: "For the user who asks. Changes nothing. Exits with 1 where nothing can be mounted."
    )

    @OptionGroup var global: GlobalOptions

    @Option(help: "table or json.")
    var format: OutputFormat = .table

    func run() throws {
        let findings = Doctor.findings + [Doctor.store(try global.layout.root)]
        switch format {
        case .json: try printJSON(findings)
        case .table:
            var table = Table("WHAT", "STATE", "DETAIL")
            for finding in findings { table.add(finding.what, finding.state.rawValue, finding.detail) }
            print(table.description)
            let remedies = findings.compactMap { finding in
                finding.remedy.map { "\(finding.what): \($0)" }
            }
            if !remedies.isEmpty { print("\n" + remedies.joined(separator: "\n")) }
        }
        if !Doctor.canMount { throw ExitCode(1) }
    }
}

/// One thing that mounting, or mounting fast, depends on.
private struct Finding: Encodable {
    enum State: String, Encodable { case ok, off, missing }

    var what: String
    var state: State
    var detail: String
    /// How to mend it.
    var remedy: String?
}

private enum Doctor {
    static var findings: [Finding] {
        [device, rings, passthrough, users, fusermount, controllers, files]
    }

    private static let release = Machine.kernel.release

    /// By mount(2), or by fusermount3, which opens the device as its caller.
    static var canMount: Bool {
        device.state == .ok && (Privileges.canMakeNamespaces || fusermount.state == .ok)
    }

    private static let devicePath = FilePath("/dev/fuse")

    private static var isFuseDevice: Bool {
        guard let status = try? devicePath.status() else { return false }
        return status.st_mode & S_IFMT == S_IFCHR && status.st_rdev == 10 << 8 | 229
    }

    private static func asRoot(_ command: String) -> String {
        geteuid() == 0 ? command : "as root: \(command)"
    }

    private static var device: Finding {
        let what = "/dev/fuse"
        let fd = devicePath.withPlatformString { open($0, O_RDWR | O_CLOEXEC) }
        let error = Errno(rawValue: errno)
        if fd >= 0 { close(fd) }
        guard let status = try? devicePath.status() else {
            return Finding(
                what: what,
                state: .missing,
                detail: "\(Errno.noSuchFileOrDirectory)",
                remedy: asRoot("modprobe fuse, or a kernel with CONFIG_FUSE_FS")
            )
        }
        guard isFuseDevice else {
            return Finding(
                what: what,
                state: .missing,
                detail: "what is there is not FUSE's device, which has the numbers 10 and 229",
                remedy: asRoot("rm /dev/fuse && mknod -m 0666 /dev/fuse c 10 229")
            )
        }
        guard fd < 0 else { return Finding(what: what, state: .ok, detail: "opens; Linux \(release)") }
        switch error {
        case .permissionDenied:
            let mode = String(status.st_mode & 0o7777, radix: 8)
            return Finding(
                what: what,
                state: .off,
                detail:
                    "there, but user \(geteuid()) may not open it (mode 0\(mode), owner \(status.st_uid))",
                remedy: asRoot("chmod 0666 /dev/fuse, as distributions have it")
            )
        case .notPermitted:
            return Finding(
                what: what,
                state: .off,
                detail: "there, but kept from this container",
                remedy: "start the container with it: docker run --device /dev/fuse --cap-add SYS_ADMIN"
            )
        default:
            return Finding(
                what: what,
                state: .off,
                detail: "there, but the kernel has no FUSE: \(error)",
                remedy: asRoot("modprobe fuse, or a kernel with CONFIG_FUSE_FS")
            )
        }
    }

    private static var rings: Finding {
        let what = "io_uring"
        guard let isOn = Machine.hasFUSERings else {
            return Finding(
                what: what,
                state: .missing,
                detail: "FUSE over io_uring needs Linux 6.14; this is \(release)",
                remedy: "a newer kernel; until then requests come through /dev/fuse, which works"
            )
        }
        if let disabled = Machine.setting("/proc/sys/kernel/io_uring_disabled"), disabled != "0" {
            return Finding(
                what: what,
                state: .off,
                detail: "kernel.io_uring_disabled is \(disabled)",
                remedy: asRoot("sysctl kernel.io_uring_disabled=0")
            )
        }
        guard isOn else {
            return Finding(
                what: what,
                state: .off,
                detail: "the kernel has FUSE over io_uring, switched off",
                remedy: asRoot(
                    "echo Y > /sys/module/fuse/parameters/enable_uring, before mounting; for good: "
                        + "\"options fuse enable_uring=1\" in /etc/modprobe.d/fuse.conf"
                )
            )
        }
        return Finding(what: what, state: .ok, detail: "FUSE over io_uring")
    }

    private static var passthrough: Finding {
        guard Machine.isKernel(atLeast: 6, 9) else {
            return Finding(
                what: "passthrough",
                state: .missing,
                detail: "needs Linux 6.9; this is \(release)",
                remedy: "a newer kernel"
            )
        }
        guard Privileges.canSetTrustedXattrs else {
            return Finding(
                what: "passthrough",
                state: .off,
                detail: "only CAP_SYS_ADMIN in the first user namespace may",
                remedy: "run as root"
            )
        }
        return Finding(what: "passthrough", state: .ok, detail: "io=passthrough may be used")
    }

    private static var users: Finding {
        let what = "user namespaces"
        let limit = Machine.setting("/proc/sys/user/max_user_namespaces").flatMap { Int($0) } ?? 0
        guard limit > 0 else {
            return Finding(
                what: what,
                state: .off,
                detail: "none are allowed",
                remedy: asRoot("sysctl user.max_user_namespaces=15000")
            )
        }
        // Debian's own switch, and Ubuntu's.
        for (name, closed) in [
            ("kernel.unprivileged_userns_clone", "0"), ("kernel.apparmor_restrict_unprivileged_userns", "1"),
        ] {
            let path = "/proc/sys/" + name.split(separator: ".").joined(separator: "/")
            guard Machine.setting(FilePath(path)) == closed else { continue }
            return Finding(
                what: what,
                state: .off,
                detail: "for ordinary users, by \(name)",
                remedy: asRoot("sysctl \(name)=\(closed == "0" ? "1" : "0")")
            )
        }
        return Finding(what: what, state: .ok, detail: "up to \(limit)")
    }

    private static var fusermount: Finding {
        let path = Fusermount.program
        guard let path, let mode = try? path.status().st_mode else {
            return Finding(
                what: "fusermount3",
                state: .missing,
                detail: "not in PATH: ordinary users mount in a user namespace only",
                remedy: asRoot("apt-get install fuse3")
            )
        }
        guard path.withPlatformString({ access($0, X_OK) }) == 0 else {
            return Finding(
                what: "fusermount3",
                state: .off,
                detail: "\(path) is there, but user \(geteuid()) may not run it",
                remedy: asRoot("chmod 4755 \(path)")
            )
        }
        guard mode & S_ISUID != 0 else {
            return Finding(
                what: "fusermount3",
                state: .off,
                detail: "\(path) is not set-user-ID",
                remedy: asRoot("chmod u+s \(path)")
            )
        }
        let sharing = Machine.setting("/etc/fuse.conf")?.split(separator: "\n").contains("user_allow_other")
        let others = sharing == true ? "may" : "may not (user_allow_other in /etc/fuse.conf)"
        return Finding(what: "fusermount3", state: .ok, detail: "\(path); users \(others) share their mounts")
    }

    /// The limits that `run` can set: --memory, --cpus, --pids-limit.
    private static var controllers: Finding {
        let what = "cgroup controllers"
        guard Privileges.canMakeNamespaces else {
            return Finding(
                what: what,
                state: .off,
                detail: "mica run is root's, and so are its limits",
                remedy: "run it as root"
            )
        }
        let remedy = "mount the cgroups of version 2: mount -t cgroup2 none /sys/fs/cgroup"
        guard let hierarchies = try? ControlGroupHierarchy.all(), !hierarchies.isEmpty else {
            return Finding(what: what, state: .missing, detail: "no cgroups can be opened", remedy: remedy)
        }
        let wanted = ["memory", "cpu", "pids"]
        let found = wanted.compactMap { name in
            hierarchies.first { $0.has(name) }.map { "\(name) (\($0.version == .two ? 2 : 1))" }
        }
        let detail =
            found.isEmpty ? "none of \(wanted.joined(separator: ", "))" : found.joined(separator: ", ")
        return Finding(
            what: what,
            state: found.count == wanted.count ? .ok : .off,
            detail: detail,
            remedy: found.count == wanted.count ? nil : remedy
        )
    }

    /// The directory for uppers. Whether one can be there is tried at its first mount.
    static func store(_ root: FilePath) -> Finding {
        let what = "store"
        var directory = root
        while !directory.exists, directory.lastComponent != nil { directory.removeLastComponent() }
        let known: [Int64: String] = [
            0xef53: "ext4", 0x5846_5342: "XFS", 0x9123_683e: "Btrfs", 0x0102_1994: "tmpfs",
            0xf2f5_2010: "F2FS",
        ]
        guard let opened = try? OwnedFD.open(directory, O_PATH | O_DIRECTORY) else {
            return Finding(
                what: what,
                state: .missing,
                detail: "\(directory) can't be opened",
                remedy: "another --root"
            )
        }
        let type = opened.use { clinux_filesystem_type($0) }
        guard type == overlay else {
            let name = known[type] ?? "a filesystem that is not known: what it can do is tried at each mount"
            return Finding(what: what, state: .ok, detail: "\(directory) is on \(name)")
        }
        guard Machine.isKernel(atLeast: 6, 7) || !Privileges.canSetTrustedXattrs else {
            return Finding(
                what: what,
                state: .missing,
                detail: "\(directory) is on an overlay, which keeps no trusted.overlay.* before Linux 6.7",
                remedy: "a volume for the store, or another --root"
            )
        }
        return Finding(
            what: what,
            state: .ok,
            detail: "\(directory) is on an overlay: there, deleted names are files with an attribute"
        )
    }

    private static let overlay: Int64 = 0x794c_7630

    private static var files: Finding {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let detail = "\(limit.rlim_cur) open files, at most \(limit.rlim_max)"
        guard limit.rlim_max >= 4096 else {
            return Finding(
                what: "limits",
                state: .off,
                detail: detail,
                remedy: "ulimit -Hn 20000; deep trees need a descriptor a level"
            )
        }
        return Finding(what: "limits", state: .ok, detail: detail)
    }
}
