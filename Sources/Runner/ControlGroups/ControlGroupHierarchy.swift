import Linux
import SystemPackage

import CLinux
import Glibc

/// A cgroup hierarchy of this kernel: one of version 1 for some controllers, or the one of version 2.
///
/// A process is in one cgroup of each. A container must leave all of the host's: in a cgroup with the host's
/// processes it could freeze and kill them.
package struct ControlGroupHierarchy: Sendable {
    package enum Version: Sendable, Equatable { case one, two }

    package let version: Version
    /// For version 1: "memory", "name=systemd" … Empty for version 2, which has cgroup.controllers.
    let controllers: [String]
    /// The root, as far up as this process can see.
    let directory: OpenFile

    /// All hierarchies in /proc/self/cgroup, including those that are not mounted.
    package static func all() throws -> [ControlGroupHierarchy] {
        let bytes: [UInt8]
        do {
            bytes = try OwnedFD.open("/proc/self/cgroup", O_RDONLY).contents(limit: 1 << 20)
        } catch .noSuchFileOrDirectory {
            return []
        } catch {
            throw Failure("read /proc/self/cgroup", error)
        }
        let mounts = MountTable.current(ofType: "cgroup", "cgroup2").entries
        // "4:memory:/path", and "0::/path" for version 2.
        var found = try String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return ControlGroupHierarchy?.none }
            let controllers = fields[1].split(separator: ",").map(String.init)
            return try ControlGroupHierarchy(fields[0] == "0" ? .two : .one, controllers, mounts)
        }
        // Version 2 exists even before it is mounted.
        if !found.contains(where: { $0.version == .two }),
            let two = try? ControlGroupHierarchy(.two, [], mounts)
        {
            found.append(two)
        }
        return found
    }

    private init?(_ version: Version, _ controllers: [String], _ mounts: [MountTable.Entry]) throws {
        self.version = version
        self.controllers = controllers
        let mount = mounts.first { mount in
            switch version {
            case .two: mount.type == "cgroup2"
            case .one:
                mount.type == "cgroup"
                    && Set(controllers).isSubset(of: mount.options.split(separator: ",").map(String.init))
            }
        }
        // CGROUP2_SUPER_MAGIC, CGROUP_SUPER_MAGIC.
        let magic: Int64 = version == .two ? 0x6367_7270 : 0x27_e0eb
        // Another filesystem may be mounted over it.
        if let mount, let open = try? OwnedFD.open(mount.target, O_PATH | O_DIRECTORY),
            open.use({ clinux_filesystem_type($0) }) == magic
        {
            directory = OpenFile(open)
        } else {
            directory = OpenFile(try ControlGroupHierarchy.mount(version, controllers))
        }
    }

    /// A private mount, which no other process sees.
    private static func mount(_ version: Version, _ controllers: [String]) throws -> OwnedFD {
        let memory = CStrings()
        var options: [String] = []
        for controller in controllers {
            options +=
                controller.hasPrefix("name=") ? ["name", String(controller.dropFirst(5))] : [controller, ""]
            // A hierarchy without controllers is named.
            if controller.hasPrefix("name=") { options += ["none", ""] }
        }
        let raw = withExtendedLifetime(memory) {
            clinux_new_filesystem(version == .two ? "cgroup2" : "cgroup", memory.list(options), 0)
        }
        guard raw >= 0 else {
            throw Failure(
                "open the cgroups of \(controllers.isEmpty ? "version 2" : controllers.joined(separator: ","))",
                Errno(rawValue: -raw),
                advice:
                    "Mount them, at /sys/fs/cgroup as a rule, so that containers can have cgroups of their own."
            )
        }
        return OwnedFD(adopting: raw)
    }
}
