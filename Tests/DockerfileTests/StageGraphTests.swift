import Dockerfile
import OCI
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Stages of a Dockerfile` {
    private func graph(_ text: String, _ given: [String: String] = [:]) throws(DockerfileError) -> StageGraph
    {
        let file = try read(text)
        return try StageGraph(file, BuildArguments(given: given, of: file))
    }

    @Test func `begin with an image, nothing, or an earlier stage`() throws {
        let graph = try graph(
            "FROM a:1 AS x\nFROM scratch\nFROM X AS y\nFROM 0\nFROM y\nFROM b AS scratch\nFROM scratch"
        )
        #expect(
            graph.nodes.map(\.base) == [
                .image("a:1"), .scratch, .stage(0), .image("0"), .stage(2), .image("b"), .stage(5),
            ]
        )
    }

    @Test func `have bases with arguments, given or global`() throws {
        let text = "ARG V=1\nARG B=a:$V\nFROM --platform=$BUILDPLATFORM $B AS x\nFROM ${T:-x}"
        let plain = try graph(text)
        #expect(plain.nodes.map(\.base) == [.image("a:1"), .stage(0)])
        #expect(plain.nodes[0].platform?.architecture == Platform.host.architecture)
        // T is no global ARG, so it can't be given.
        #expect(
            try graph(text, ["V": "2", "T": "no"]).nodes.map(\.base) == [.image("a:2"), .stage(0)]
        )
    }

    @Test func `are needed by FROM, COPY --from and mounts`() throws {
        let graph = try graph(
            """
            FROM a AS base
            FROM b AS unused
            COPY --from=base x y
            FROM c AS tools
            FROM d AS mounted
            FROM base AS mine
            COPY --from=2 x y
            COPY --from=img:1 x y
            RUN --mount=from=mounted,target=/x --mount=type=cache,target=/y z
            FROM scratch
            COPY --from=MINE x y
            """
        )
        #expect(try graph.needed(for: graph.target(nil)) == [0, 2, 3, 4, 5])
        #expect(graph.nodes[4].sources == [.stage(2), .image("img:1"), .stage(3)])
        #expect(try graph.needed(for: graph.target("Unused")) == [0, 1])
        #expect(try graph.target("2") == 2)
        #expect(try graph.needed(for: 0) == [0] && graph.needs(of: 4) == [0, 2, 3])
    }

    @Test(arguments: [
        ("FROM a AS s\nCOPY --from=s x y", "Dockerfile:2: circular dependency detected on stage: s"),
        (
            "FROM a AS s\nCOPY --from=u x y\nFROM b AS t\nCOPY --from=s x y\nFROM c AS u\nCOPY --from=t x y",
            "Dockerfile:4: circular dependency detected on stage: s"
        ),
        ("FROM a\nCOPY --from=3 x y", "Dockerfile:2: invalid stage index 3"),
        ("FROM a\nCOPY --from=-1 x y", "Dockerfile:2: invalid stage index -1"),
        (
            "FROM a\nCOPY --from=A:b:c x y",
            "Dockerfile:2: failed to parse stage name \"A:b:c\": invalid reference format"
        ),
        ("FROM A!", "Dockerfile:1: failed to parse stage name \"A!\": invalid reference format"),
        ("\nFROM $NO", "Dockerfile:2: base name ($NO) should not be blank"),
        ("FROM --platform=$NO a", "Dockerfile:1: empty platform value from expression $NO"),
        ("FROM --platform=a/b/c/d a", "Dockerfile:1: failed to parse platform a/b/c/d"),
        ("FROM ${a", "Dockerfile:1: failed to process \"${a\": syntax error: missing '}'"),
        ("ARG a=${b\nFROM a", "Dockerfile:1: failed to process \"${b\": syntax error: missing '}'"),
    ])
    func `are refused where they need themselves or what is not there`(text: String, message: String) {
        let error = #expect(throws: DockerfileError.self) { try graph(text) }
        #expect(error?.description == message)
    }

    @Test func `are refused only if a stage is needed that needs a later one`() throws {
        let graph = try graph("FROM a AS x\nFROM b\nCOPY --from=z f g\nFROM c AS z")
        #expect(try graph.needed(for: 2) == [2])
        let error = #expect(throws: DockerfileError.self) { try graph.needed(for: 1) }
        #expect(
            error?.description
                == "Dockerfile:3: cannot copy from stage \"z\", it needs to be defined before current stage \"stage-1\""
        )
    }

    @Test func `that are unknown targets are said to be, with a hint`() throws {
        let graph = try graph("FROM a AS build")
        let error = #expect(throws: DockerfileError.self) { try graph.target("biuld") }
        #expect(
            error?.description
                == "Dockerfile: target stage \"biuld\" could not be found (did you mean build?)"
        )
    }

    @Test func `get the ONBUILDs of their bases, which can need more stages`() throws {
        var graph = try graph("FROM a AS x\nFROM b\nRUN c")
        let made = try graph.add(triggers: ["COPY --from=x d e", "RUN <<E\n1\nE"], to: 1)
        #expect(made.count == 2 && made[1].run?.documents.map(\.text) == ["1\n"])
        #expect(made.map(\.source.lines) == [2...2, 2...2])
        #expect(try graph.needed(for: 1) == [0, 1] && graph.nodes[1].triggers.count == 2)
        for trigger in ["RUN a\nRUN b", "FROM a", "NONE", ""] {
            let error = #expect(throws: DockerfileError.self) { try graph.add(triggers: [trigger], to: 1) }
            #expect(error?.description.hasPrefix("Dockerfile:2: ONBUILD ") == true)
        }
    }
}
