import Dockerfile
import Testing
import OCI

@Suite(.timeLimit(.minutes(40))) struct `Instruction of a Dockerfile` {
    @Test func `FROM begins a stage with a base, a name in lower case and a platform`() throws {
        let file = try read("ARG V=1\nfrom --platform=$P a:$V AS Build\nRUN x\nFROM build\n")
        #expect(file.globals.count == 1 && file.stages.count == 2)
        #expect(file.stages[0].base.text == "a:$V" && file.stages[0].name == "build")
        #expect(file.stages[0].platform?.text == "$P" && file.stages[0].number == 0)
        #expect(file.stages[1].name == nil && file.stages[1].title == "stage-1")
        #expect(file.stages[0].source.lines == 2...2 && file.stages[0].instructions[0].source.lines == 3...3)
    }

    @Test func `ARG has a name, or a name and a default, and several of them`() throws {
        guard case .arg(let list) = try instruction("# b is second\nARG a b=\"x y\" c=").operation else {
            Issue.record("no ARG")
            return
        }
        #expect(list.map(\.name) == ["a", "b", "c"])
        #expect(list.map { $0.value?.text } == [nil, "\"x y\"", ""])
        #expect(list.map(\.comment) == [nil, "is second", nil])
    }

    @Test func `ENV and LABEL have pairs, in the new way and in the old one`() throws {
        guard case .env(let new) = try instruction(#"ENV a=1 "b c"='d e' f=g\ h i=$a"#).operation,
            case .label(let old) = try instruction("LABEL  a   b  c=d ").operation
        else {
            Issue.record("neither ENV nor LABEL")
            return
        }
        #expect(new.map(\.name.text) == ["a", "\"b c\"", "f", "i"])
        #expect(new.map(\.value.text) == ["1", "'d e'", "g\\ h", "$a"])
        #expect(old.map(\.name.text) == ["a"] && old.map(\.value.text) == ["b  c=d"])
        #expect(old[0].isLegacy && !new[0].isLegacy)
    }

    @Test func `RUN is a command for a shell, or words if it is a JSON array of strings`() throws {
        #expect(try instruction(#"RUN echo "$a" [x]"#).run?.command == .shell(#"echo "$a" [x]"#))
        #expect(try instruction(#"RUN ["a", "b c\u00e4"] "#).run?.command == .exec(["a", "b cä"]))
        #expect(try instruction(#"RUN ["a", 'b']"#).run?.command == .shell(#"["a", 'b']"#))
        #expect(try instruction(#"RUN [ -e x ] && y"#).run?.command == .shell("[ -e x ] && y"))
        #expect(try instruction("RUN []").run?.command == .exec([]))
        #expect(refusal("FROM a\nRUN [\"a\", 1]")?.contains("strings only") == true)
    }

    @Test func `RUN has a network and mounts`() throws {
        let run = try instruction(
            "RUN --network=none --mount=target=/x,from=a --mount=type=tmpfs,target=/y z"
        ).run
        #expect(run?.network == Instruction.Run.Network.none && run?.mounts.map(\.from) == ["a", nil])
        #expect(run?.command == .shell("z"))
        #expect(try instruction("RUN x").run?.network == .standard)
    }

    @Test func `COPY has sources, a destination and flags`() throws {
        let copy = try instruction(
            "COPY --from=s --chown=$u:g --chmod=644 --link --parents --exclude=*.o --exclude=!x.o a b* /c/"
        ).copy
        #expect(copy?.from == "s" && copy?.keepsParents == true && copy?.files.isLinked == true)
        #expect(copy?.files.chown?.text == "$u:g" && copy?.files.chmod?.text == "644")
        #expect(copy?.files.excludes == ["*.o", "!x.o"])
        #expect(copy?.files.sources.map(\.text) == ["a", "b*"] && copy?.files.destination.text == "/c/")
        let list = try instruction(#"COPY ["a b", "c d"]"#).copy
        #expect(list?.files.sources.map(\.text) == ["a b"] && list?.files.destination.text == "c d")
        #expect(try instruction("COPY --link=false a b").copy?.files.isLinked == false)
    }

    @Test func `ADD has a checksum and says what to unpack`() throws {
        let add = try instruction("ADD --checksum=sha256:$x --keep-git-dir --unpack=false https://a/b /c").add
        #expect(add?.checksum?.text == "sha256:$x" && add?.keepsGitDirectory == true && add?.unpacks == false)
        let plain = try instruction("ADD a b").add
        #expect(plain?.checksum == nil && plain?.keepsGitDirectory == nil && plain?.unpacks == nil)
    }

    @Test func `the others keep what they are given`() throws {
        guard case .shell(let shell) = try instruction(#"SHELL ["/bin/bash", "-c"]"#).operation,
            case .user(let user) = try instruction("USER  $u:g ").operation,
            case .workdir(let directory) = try instruction("WORKDIR /a b").operation,
            case .volume(let volumes) = try instruction("VOLUME /a $b").operation,
            case .volume(let listed) = try instruction(#"VOLUME ["/a b"]"#).operation,
            case .expose(let ports) = try instruction("EXPOSE 90 80/udp $p").operation,
            case .stopsignal(let signal) = try instruction("STOPSIGNAL $s").operation,
            case .maintainer(let name) = try instruction("MAINTAINER A B <c>").operation,
            case .healthcheck(let check) = try instruction("HEALTHCHECK --retries=3 CMD x  y").operation
        else {
            Issue.record("another instruction")
            return
        }
        #expect(shell == ["/bin/bash", "-c"] && user.text == "$u:g" && directory.text == "/a b")
        #expect(volumes.map(\.text) == ["/a", "$b"] && listed.map(\.text) == ["/a b"])
        #expect(ports.map(\.text) == ["$p", "80/udp", "90"])
        #expect(signal.text == "$s" && name == "A B <c>")
        #expect(check.test == ["CMD-SHELL", "x  y"] && check.retries == 3)
    }

    @Test func `ONBUILD keeps an instruction, with its here-documents`() throws {
        guard case .onbuild(let plain) = try instruction("onbuild  RUN --network=none a && b").operation,
            case .onbuild(let long) = try instruction("ONBUILD COPY <<E <<-F /x\n1\nE\n\t2\n\tF\n").operation
        else {
            Issue.record("no ONBUILD")
            return
        }
        #expect(plain == "RUN --network=none a && b")
        #expect(long == "COPY <<E <<-F /x\n1\nE\n\t2\nF")
        let source = Source(file: "Dockerfile", lines: 7...7, text: "FROM x")
        let copy = try Dockerfile.parse(trigger: long, of: source).copy
        #expect(copy?.files.documents.map(\.text) == ["1\n", "2\n"])
    }

    @Test(arguments: [
        ("FORM a", "Dockerfile:1: unknown instruction: FORM (did you mean FROM?)"),
        ("FROM a\n\ncpoy x y", "Dockerfile:3: unknown instruction: cpoy (did you mean copy?)"),
        ("FROM a\nFOOBAR", "Dockerfile:2: unknown instruction: FOOBAR"),
        ("", "Dockerfile: the Dockerfile cannot be empty"),
        ("# only a comment\n", "Dockerfile: file with no instructions"),
        ("ARG a", "Dockerfile: dockerfile contains no stages to build"),
        ("RUN a", "Dockerfile:1: no build stage in current context"),
        ("FROM", "Dockerfile:1: FROM requires either one or three arguments"),
        ("FROM a b c", "Dockerfile:1: FROM requires either one or three arguments"),
        (
            "FROM a AS 1b",
            "Dockerfile:1: invalid name for build stage: \"1b\", name can't start with a number or contain symbols"
        ),
        ("FROM --plaform=x a", "Dockerfile:1: unknown flag: --plaform (did you mean platform?)"),
        ("FROM a\nCOPY --chown a b", "Dockerfile:2: missing a value on flag: --chown"),
        ("FROM a\nCOPY --link=x a b", "Dockerfile:2: expecting boolean value for flag --link, not: x"),
        ("FROM a\nCOPY --link= a b", "Dockerfile:2: missing a value on flag: --link"),
        ("FROM a\nCOPY --from=a --from=b a b", "Dockerfile:2: duplicate flag specified: --from"),
        (
            "FROM a\nCOPY a",
            "Dockerfile:2: COPY requires at least two arguments, but only one was provided. Destination could not be determined"
        ),
        ("FROM a\nCOPY a <<E\nE", "Dockerfile:2: COPY cannot accept a heredoc as a destination"),
        ("FROM a\nRUN <<E\nx\n", "Dockerfile:2: unterminated heredoc"),
        ("FROM a\nENV", "Dockerfile:2: ENV requires at least one argument"),
        ("FROM a\nENV a", "Dockerfile:2: ENV must have two arguments"),
        (
            "FROM a\nENV a=b c",
            "Dockerfile:2: Syntax error - can't find = in \"c\". Must be of the form: name=value"
        ),
        ("FROM a\nLABEL =b", "Dockerfile:2: LABEL names can not be blank"),
        ("FROM a\nARG", "Dockerfile:2: ARG requires at least one argument"),
        ("FROM a\nARG =b", "Dockerfile:2: ARG names can not be blank"),
        ("FROM a\nUSER", "Dockerfile:2: USER requires exactly one argument"),
        ("FROM a\nEXPOSE", "Dockerfile:2: EXPOSE requires at least one argument"),
        ("FROM a\nVOLUME []", "Dockerfile:2: VOLUME requires at least one argument"),
        ("FROM a\nVOLUME [\"\"]", "Dockerfile:2: VOLUME specified can not be an empty string"),
        ("FROM a\nSHELL bash", "Dockerfile:2: SHELL requires the arguments to be in JSON form"),
        ("FROM a\nSHELL []", "Dockerfile:2: SHELL requires at least one argument"),
        ("FROM a\nONBUILD", "Dockerfile:2: ONBUILD requires at least one argument"),
        (
            "FROM a\nONBUILD ONBUILD RUN x",
            "Dockerfile:2: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"
        ),
        ("FROM a\nONBUILD FROM x", "Dockerfile:2: FROM isn't allowed as an ONBUILD trigger"),
        ("FROM a\nONBUILD RUNN x", "Dockerfile:2: unknown instruction: RUNN (did you mean RUN?)"),
        ("FROM a\nHEALTHCHECK NONE x", "Dockerfile:2: HEALTHCHECK NONE takes no arguments"),
        ("FROM a\nHEALTHCHECK CMD", "Dockerfile:2: Missing command after HEALTHCHECK CMD"),
        ("FROM a\nHEALTHCHECK x", "Dockerfile:2: Unknown type \"X\" in HEALTHCHECK (try CMD)"),
        (
            "FROM a\nHEALTHCHECK --interval=1us CMD x",
            "Dockerfile:2: Interval \"interval\" cannot be less than 1ms"
        ),
        ("FROM a\nRUN --network=all x", "Dockerfile:2: invalid network mode \"all\""),
        ("FROM a\nMAINTAINER --boo x", "Dockerfile:2: unknown flag: --boo"),
        (
            "FROM a\nRUN --security=insecure x",
            "Dockerfile:2: RUN --security=insecure is not supported: mica contains every RUN"
        ),
        (
            "FROM a\nRUN --device=x y",
            "Dockerfile:2: RUN --device is not supported: mica gives no devices to containers"
        ),
        (
            "FROM a\nRUN --mount=type=ssh x",
            "Dockerfile:2: --mount=type=ssh is not supported: mica forwards no agents"
        ),
        (
            "FROM a\nCOPY --from=$x a b",
            "Dockerfile:2: variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround"
        ),
        ("FROM a\nCOPY --exclude=[ a b", "Dockerfile:2: --exclude: syntax error in pattern ["),
    ])
    func `is refused at its line, in BuildKit's words`(text: String, message: String) {
        #expect(refusal(text) == message)
    }

    @Test func `is warned of where BuildKit warns`() throws {
        let file = try read("FROM a AS x\nRUN y \\\n\n z\nFROM b AS X\nFROM c AS scratch\n")
        #expect(file.warnings.map(\.description).count == 3)
        #expect(file.warnings[0].description == "Dockerfile:2: Empty continuation line found in: RUN y  z")
        #expect(file.warnings[1].description.contains("Duplicate stage name \"x\""))
        #expect(file.warnings[2].description.contains("reserved stage"))
    }
}
