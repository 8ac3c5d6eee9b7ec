enum ForeignOptions {
    static var all: [ForeignWords] { global + containers + run + images }

    private static let json = "--format json has all fields, for jq."

    private static var global: [ForeignWords] {
        [
            .init(
                "H host c context config l log-level tls tlscacert tlscert tlskey tlsverify",
                "There is no daemon to talk to; --root DIR says which store."
            ),
            .init(
                "D debug",
                "There is nothing more to be said; what a mount logs is in the store's mounts/."
            ),
        ]
    }

    private static var containers: [ForeignWords] {
        [
            .init("detach-keys", of: "exec", "Nothing detaches from an exec: start it with -d."),
            .init("detach-keys", of: "run create start attach", "They are Ctrl-P Ctrl-Q."),
            .init("sig-proxy", of: "attach", "Signals are passed on; Ctrl-P Ctrl-Q leaves it to itself."),
            .init(
                "env-file",
                of: "run create exec",
                "Give each variable with -e; -e NAME passes on the caller's."
            ),
            .init("privileged", of: "exec", "A command may do what its container may: docs/SECURITY.md."),
            .init("f filter", of: "ps", json),
            .init("n last l latest", of: "ps", "The newest come first: mica ps -a | head."),
            .init("s size", of: "ps inspect", "mica snapshot usage ID says what a container wrote."),
            .init("details", of: "logs", "Containers have no labels that it could show."),
            .init(
                "p pause",
                of: "commit",
                "A running container is committed as it runs; stop it where that matters."
            ),
            .init(
                "checkpoint checkpoint-dir",
                of: "start",
                "Processes are not kept: a container starts anew."
            ),
            .init("l link", of: "rm", "There are no links between containers."),
            .init("v volumes", of: "rm", "mica makes no volumes that could be removed."),
        ]
    }

    private static var run: [ForeignWords] {
        func option(_ names: String, _ use: String) -> ForeignWords { .init(names, of: "run create", use) }
        let limits = "The limits are --memory, --cpus and --pids-limit."
        let network = "A container has no network, or the host's: --network host."
        return [
            option("add-host", "The file can be a volume: -v FILE:/etc/hosts."),
            option(
                "dns dns-search dns-opt dns-option",
                "The file can be a volume: -v FILE:/etc/resolv.conf."
            ),
            option("p publish P publish-all expose", network),
            option("link ip ip6 mac-address network-alias net-alias link-local-ip", network),
            option(
                "cap-add cap-drop privileged",
                "A container has docker's usual capabilities, no more and no fewer: docs/SECURITY.md."
            ),
            option("device device-cgroup-rule", "A device can be a volume: -v /dev/NAME:/dev/NAME."),
            option("gpus", "Devices can be volumes: -v /dev/NAME:/dev/NAME."),
            option(
                "mount volume-driver volumes-from",
                "Each is a directory of the host's: -v SOURCE:DESTINATION[:ro]."
            ),
            option(
                "tmpfs shm-size",
                "A directory of a tmpfs of the host's can be a volume: -v /dev/shm/DIR:DESTINATION."
            ),
            option(
                "init init-path",
                "The command is process 1; one that leaves children behind needs an init of the image's."
            ),
            .init(
                "restart",
                of: "run create update",
                "No daemon is there to start it again; systemd restarts what a unit runs: ExecStart=mica run --rm."
            ),
            option("l label label-file annotation", "Containers have a name and no labels: --name."),
            option("platform", "An image's platform is chosen when it is loaded."),
            option("q quiet", "Nothing is printed that it could leave out."),
            option(
                "group-add",
                "A user's groups come from the image's /etc/group; -u USER:GROUP says another."
            ),
            option("userns", "There are no user namespaces: docs/SECURITY.md."),
            option(
                "pid ipc uts cgroupns",
                "They are the container's own; only the network can be the host's."
            ),
            option("ulimit", "Limits are inherited: ulimit -n 1024 before mica run."),
            option("sysctl", "The kernel's settings are not a container's to change."),
            option("stop-signal stop-timeout", "mica kill -s SIGNAL, and mica stop -t SECONDS."),
            .init(
                "memory-swap memory-reservation memory-swappiness kernel-memory oom-kill-disable oom-score-adj c"
                    + " cpu-shares cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-count cpu-percent cpuset-cpus"
                    + " cpuset-mems blkio-weight blkio-weight-device device-read-bps device-read-iops device-write-bps"
                    + " device-write-iops io-maxbandwidth io-maxiops",
                of: "run create update",
                limits
            ),
            option(
                "health-cmd health-interval health-retries health-start-interval health-start-period health-timeout"
                    + " no-healthcheck",
                "Health checks are kept in images, and not run."
            ),
            option(
                "log-driver",
                "A log is a file of the store's, which mica logs shows; --log-opt says how much is kept."
            ),
            option(
                "a attach sig-proxy",
                "A run without -d has its streams and its signals; -i passes input on."
            ),
            option("cidfile", "mica run -d prints the ID: mica run -d IMAGE > FILE."),
            option("cgroup-parent", "A container's cgroup is mica/ID."),
            option("domainname", "A name may have dots: --hostname NAME.DOMAIN."),
            option("isolation runtime storage-opt use-api-socket", "There is one way to run a container."),
        ]
    }

    private static var images: [ForeignWords] {
        [
            .init("ssh", of: "build", "There is no SSH forwarding: give a key with --secret."),
            .init("push", of: "build", "mica push NAME sends what was built."),
            .init("load", of: "build", "What is built is in the store."),
            .init(
                "build-context",
                of: "build",
                "There is one context; a stage of its own can bring more."
            ),
            .init(
                "add-host allow cgroup-parent ulimit shm-size m memory security-opt isolation",
                of: "build",
                "A RUN is contained as every container is: docs/SECURITY.md."
            ),
            .init(
                "attest provenance sbom metadata-file",
                of: "build",
                "No attestations are made; mica inspect says what an image is."
            ),
            .init(
                "compress squash rm force-rm",
                of: "build",
                "Each step is a layer, and nothing is left of it but that."
            ),
            .init("tree", of: "images", "mica tree shows which images stand on which layers."),
            .init("f filter", of: "search", json),
            .init(
                "disable-content-trust",
                of: "pull push",
                "There is no content trust: digests are checked."
            ),
            .init(
                "platform",
                of: "push",
                "What was pulled is pushed, for the platforms for which it was pulled."
            ),
            .init(
                "platform",
                of: "load save import history",
                "An image's platform is chosen when it is loaded."
            ),
            .init("H human", of: "history", json),
            .init("no-prune", of: "rmi", "What else needs a layer keeps it."),
            .init("f force", of: "tag", "A name moves to another image by itself."),
        ]
    }
}
