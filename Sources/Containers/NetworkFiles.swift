import Linux
import Runner
import SystemPackage

import Glibc

/// /etc/hostname, /etc/hosts and /etc/resolv.conf of a container: files of its own, which it may change.
enum NetworkFiles {
    static func write(for container: Container) throws {
        let files = container.files
        let name = container.spec.hostname
        let isHost = container.spec.network == .host
        let local = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t\(name)\n"
        // Without a network there is nobody to ask, but programs may want to find the file.
        let resolver = NetworkFiles.host("/etc/resolv.conf") ?? []
        try files.replace(files.hostname, Array("\(name)\n".utf8), mode: 0o644)
        try files.replace(
            files.hosts,
            (isHost ? NetworkFiles.host("/etc/hosts") : nil) ?? Array(local.utf8),
            mode: 0o644
        )
        try files.replace(files.resolver, isHost ? resolver : [], mode: 0o644)
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
