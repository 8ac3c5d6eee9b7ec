import Linux
import SystemPackage

import CLinux
import Glibc

/// One mount below the container's root, before it is written into a plan.
struct MountPoint {
    enum Kind {
        /// A new filesystem of this type.
        case filesystem(String)
        /// A path of the host. `file`: it is not a directory.
        case bind(String, file: Bool)
        /// A tmpfs with the device nodes.
        case devices
    }

    var kind: Kind
    var target: String
    var options: [(String, String)] = []
    var attributes: Int32 = 0
    /// A symbolic link of the image must not decide where this goes.
    var strict = false
    var optional = false

    func planned(in plan: inout EnterPlan) -> enter_mount {
        var mount = enter_mount()
        switch kind {
        case .filesystem(let type):
            mount.kind = UInt32(ENTER_MOUNT_FILESYSTEM)
            mount.source = plan.string(type)
        case .bind(let source, let file):
            mount.kind = UInt32(ENTER_MOUNT_BIND)
            mount.source = plan.string(source)
            mount.file = file ? 1 : 0
        case .devices:
            mount.kind = UInt32(ENTER_MOUNT_DEVICES)
            mount.source = plan.string("tmpfs")
        }
        mount.target = plan.string(target)
        mount.options = plan.strings(options.flatMap { [$0.0, $0.1] })
        mount.attributes = UInt64(attributes)
        mount.strict = strict ? 1 : 0
        mount.optional = optional ? 1 : 0
        return mount
    }
}

extension MountPoint {
    private static let quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC

    /// /proc, /sys and /dev, as docker mounts them.
    static func standard(unifiedControlGroups: Bool) -> [MountPoint] {
        var mounts = [
            MountPoint(kind: .filesystem("proc"), target: "/proc", attributes: quiet, strict: true),
            MountPoint(
                kind: .filesystem("sysfs"),
                target: "/sys",
                attributes: quiet | MOUNT_ATTR_RDONLY,
                strict: true
            ),
        ]
        if unifiedControlGroups {
            mounts.append(
                MountPoint(
                    kind: .filesystem("cgroup2"),
                    target: "/sys/fs/cgroup",
                    attributes: quiet | MOUNT_ATTR_RDONLY,
                    strict: true,
                    optional: true
                )
            )
        }
        mounts += [
            MountPoint(
                kind: .devices,
                target: "/dev",
                options: [("mode", "755"), ("size", "65536k")],
                attributes: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_STRICTATIME,
                strict: true
            ),
            MountPoint(
                kind: .filesystem("devpts"),
                target: "/dev/pts",
                options: [("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620"), ("gid", "5")],
                attributes: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                strict: true
            ),
            MountPoint(
                kind: .filesystem("tmpfs"),
                target: "/dev/shm",
                options: [("mode", "1777"), ("size", "65536k")],
                attributes: quiet,
                strict: true
            ),
            MountPoint(
                kind: .filesystem("mqueue"),
                target: "/dev/mqueue",
                attributes: quiet,
                strict: true,
                optional: true
            ),
        ]
        return mounts
    }

    /// Nodev unless the volume is itself a device of the host's /dev: a container may make nodes and links, in its
    /// root and in volumes, but none of the nodes can be opened, not even as a volume of another container.
    init(_ volume: Volume, status: stat) {
        let type = status.st_mode & Glibc.S_IFMT
        let isDevice = MountPoint.isDevice(volume.source)
        self.init(
            kind: .bind(volume.source, file: type != Glibc.S_IFDIR),
            target: volume.destination,
            attributes: (volume.readOnly ? MOUNT_ATTR_RDONLY : 0) | (isDevice ? 0 : MOUNT_ATTR_NODEV)
        )
    }

    /// Whether `path`, as written, is a device directly in the host's /dev, not in a filesystem mounted there, and
    /// not through a link, which a container may have made.
    private static func isDevice(_ path: String) -> Bool {
        var path = FilePath(path)
        // A component before `..` may be a link.
        guard !path.components.contains(where: { $0.kind == .parentDirectory }) else { return false }
        path.lexicallyNormalize()
        guard path.removePrefix("/dev"), !path.isEmpty,
            let top = try? OwnedFD.open("/dev", O_PATH | O_DIRECTORY),
            let status = try? top.open(beneath: path, O_PATH, onThisMount: true).status()
        else { return false }
        return [Glibc.S_IFCHR, Glibc.S_IFBLK].contains(status.st_mode & Glibc.S_IFMT)
    }
}
