enum ForeignVerbs {
    static var all: [ForeignWords] {
        [
            .init(
                "buildx builder bake",
                "mica build builds, mica gc --build-cache empties its cache."
            ),
            .init(
                "compose stack swarm service node config secret pod kube play",
                "mica runs one container at a time, on one machine."
            ),
            .init(
                "network port",
                "A container has no network, or the host's: mica run --network host."
            ),
            .init("volume", "A volume is a directory of the host's: mica run -v DIR:DIR."),
            .init(
                "stats top",
                "mica inspect NAME says which process it is; mica exec NAME ps shows them all, where the image has it."
            ),
            .init(
                "prune",
                "mica system prune removes ended containers and unused images."
            ),
            .init("df", "It is mica system df."),
            .init("untag", "mica rmi NAME takes a name away, and the image with its last one."),
            .init("unmount", "It is mica umount DIR."),
            .init("unshare", "An ordinary user's mica mounts by fusermount3; see docs/ROOTLESS.md."),
            .init(
                "container",
                "Verbs stand alone: mica run, ps, exec, logs, stop, kill, rm, commit, diff, inspect."
            ),
            .init(
                "checkpoint context plugin trust scout model sandbox init generate healthcheck machine",
                "docs/docker.md says which of docker's verbs mica has."
            ),
        ]
    }
}
