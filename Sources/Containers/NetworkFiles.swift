import Linux
import Runner
import SystemPackage

import Glibc

/// A container's own /etc/hostname, /etc/hosts and /etc/resolv.conf, which it may change.
enum NetworkFiles {
    static func write(for container: Container) throws {
        let files = container.files
        let name = container.spec.hostname
        let isHost = container.spec.network == .host
        let local = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t\(name)\n"
        // Without a network there is no resolver, but programs may expect the file.
        let resolver = NetworkFiles.host("/etc/resolv.conf") ?? []
        try put(Array("\(name)\n".utf8), in: files.hostname, files, always: false)
        let hosts = (isHost ? NetworkFiles.host("/etc/hosts") : nil) ?? Array(local.utf8)
        try put(hosts, in: files.hosts, files, always: isHost)
        try put(isHost ? resolver : [], in: files.resolver, files, always: isHost)
    }

    /// The container's changes stay for its next start, except in files that follow the host (`always`).
    private static func put(_ bytes: [UInt8], in path: FilePath, _ files: ContainerFiles, always: Bool) throws
    {
        if always || !path.exists { try files.replace(path, bytes, mode: 0o644) }
    }

    static func volumes(of container: Container) -> [Volume] {
        let files = container.files
        return [
            Volume(source: files.hostname.string, destination: "/etc/hostname"),
            Volume(source: files.hosts.string, destination: "/etc/hosts"),
            Volume(source: files.resolver.string, destination: "/etc/resolv.conf"),
        ]
    }

    private static func host(_ path: FilePath) -> [UInt8]? {
        try? OwnedFD.open(path, O_RDONLY).contents(limit: 1 << 20)
    }
}
