import Foundation
import Linux
import SystemPackage
import Testing

import Glibc

@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: BuildBox.isPossible, "mounts, and needs root, busybox-static and the built mica")
)
struct `Instructions of Dockerfiles` {
    let box: BuildBox

    init() throws { box = try BuildBox() }

    @Test func `make the config that they say`() throws {
        let id = try box.image(
            """
            FROM base:1
            ARG NAME=value
            ENV A=${NAME:-none} B=${MISSING:-b}
            LABEL a=$A "with space"=1
            WORKDIR /one
            WORKDIR two
            EXPOSE 80 53/udp
            VOLUME ["/data"]
            STOPSIGNAL SIGINT
            HEALTHCHECK --interval=5s CMD true
            SHELL ["/bin/sh", "-e", "-c"]
            ENTRYPOINT echo
            CMD ["x", "y"]
            USER ann
            """,
            ["--label", "b=c", "-t", "made"]
        )
        let config = try box.config(of: id)
        #expect(config["WorkingDir"] as? String == "/one/two")
        #expect(config["User"] as? String == "ann")
        #expect((config["Env"] as? [String])?.contains("A=value") == true)
        #expect((config["Env"] as? [String])?.contains("B=b") == true)
        #expect((config["Env"] as? [String])?.contains { $0.hasPrefix("NAME=") } == false)
        #expect(config["Labels"] as? [String: String] == ["a": "value", "with space": "1", "b": "c"])
        #expect(config["Entrypoint"] as? [String] == ["/bin/sh", "-e", "-c", "echo"])
        #expect(config["Cmd"] as? [String] == ["x", "y"])
        #expect(config["StopSignal"] as? String == "SIGINT")
        #expect(Set((config["ExposedPorts"] as? [String: Any] ?? [:]).keys) == ["80/tcp", "53/udp"])
        #expect(try box.mica("images", "-q", "made").hasPrefix(String(id.dropFirst(7).prefix(12))))
    }

    @Test func `run in stages, of which those that nothing needs are not built`() throws {
        let id = try box.image(
            """
            FROM base:1 AS one
            RUN echo one > /one
            FROM base:1 AS never
            RUN exit 3
            FROM one AS two
            RUN echo two >> /one
            FROM base:1
            COPY --from=two /one /from-name
            COPY --from=0 /one /from-number
            COPY --from=base:1 /etc/passwd /from-image
            RUN --mount=type=bind,from=two,source=/one,target=/mounted cat /mounted > /from-mount
            """
        )
        #expect(try box.shell(id, "cat /from-name") == "one\ntwo\n")
        #expect(try box.shell(id, "cat /from-number") == "one\n")
        #expect(try box.shell(id, "cat /from-mount") == "one\ntwo\n")
        #expect(try box.shell(id, "head -n 1 /from-image").hasPrefix("root:"))
        #expect(try box.shell(id, "test -e /mounted || echo none") == "none\n")
        let target = try box.image(
            "FROM base:1 AS a\nRUN echo a > /a\nFROM base:1\nRUN exit 1\n",
            ["--target", "a"]
        )
        #expect(try box.shell(target, "cat /a") == "a\n")
    }

    @Test func `mount the context, caches, memory and secrets, and leave none of them in the image`() throws {
        try box.write("dir/file", "text")
        try box.write("../secret", "hidden-word")
        let options = ["--secret", "id=s,src=\(box.base.appending("secret"))"]
        let dockerfile = """
            FROM base:1
            RUN --mount=type=bind,source=dir,target=/ctx --mount=type=cache,target=/cache \\
                --mount=type=tmpfs,target=/memory --mount=type=secret,id=s,required \\
                cat /ctx/file > /copy && echo x >> /cache/count && wc -l < /cache/count | tr -d ' ' > /count \\
                && touch /memory/m && wc -c < /run/secrets/s | tr -d ' ' > /length
            """
        let first = try box.image(dockerfile, options)
        #expect(try box.shell(first, "cat /copy /count /length") == "text1\n11\n")
        let second = try box.image(dockerfile, options + ["--no-cache"])
        #expect(try box.shell(second, "cat /count") == "2\n")
        #expect(try box.shell(first, "ls -d /ctx /cache /memory /run 2>/dev/null || echo none") == "none\n")
        let found = try? box.run("/bin/grep", ["-r", "-l", "hidden-word", box.store.string])
        #expect(found == nil)
        let missing = try box.build("FROM base:1\nRUN --mount=type=secret,id=t,required true\n")
        #expect(missing.status != 0)
        #expect(missing.error.contains("Dockerfile:2: the secret t was not given"))
    }

    @Test func `of a base image's ONBUILD are done where it is the base`() throws {
        try box.image("FROM base:1\nONBUILD RUN echo triggered > /trigger\n", ["-t", "trigger:1"])
        let id = try box.image("FROM trigger:1\nRUN echo own >> /trigger\n")
        #expect(try box.shell(id, "cat /trigger") == "triggered\nown\n")
        #expect(try box.config(of: id)["OnBuild"] == nil)
    }

    @Test func `that are not there are refused at their line`() throws {
        let cases = [
            (
                "FROM base:1\nADD https://example.com/x.git /x\n",
                "Dockerfile:2: ADD of https://example.com/x.git"
            ),
            ("FROM base:1\nRUN --network=host true\n", "Dockerfile:2: RUN --network=host wants"),
            ("FROM base:1\nRUN --mount=type=ssh true\n", "Dockerfile:2: "),
            ("FROM --platform=linux/s390x base:1\n", "Dockerfile:1: the platform linux/s390x"),
            ("FROM base:1\nCOPY missing /x\n", "Dockerfile:2: \"missing\" is not there"),
            ("FROM base:1\nFROG\n", "Dockerfile:2: "),
            ("FROM base:1\nUSER none\nRUN true\n", "Dockerfile:3: "),
            ("FROM base:1\nRUN [\"/none\"]\n", "Dockerfile:2: "),
            ("FROM base:1\nCOPY --chown=none Dockerfile /x\n", "Dockerfile:2: no user none"),
        ]
        for (dockerfile, expected) in cases {
            let result = try box.build(dockerfile)
            #expect(result.status == 1, "\(dockerfile)")
            #expect(result.error.contains("mica: \(expected)"), "\(result.error)")
        }
    }
}
