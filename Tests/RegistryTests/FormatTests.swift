import ContainerFixtures
import Foundation
import Glibc
import ImageFixtures
import Linux
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40)), .enabled(if: PullFixture.program != nil, "no built mica"))
struct `A template of --format` {
    private let mica: PullFixture

    init() throws {
        mica = try PullFixture()
        try mica.directory.write("root.tar", ArchiveFixture.layer(["a": "b"]))
        let tar = mica.directory.path.appending("root.tar").string
        let made = try mica(
            "import",
            "-q",
            "-c",
            #"CMD ["sh", "-c", "x y"]"#,
            "-c",
            "ENV A=b",
            "-c",
            "LABEL x=y other=z",
            tar,
            "demo:1"
        )
        #expect(made.status == 0, "\(made.error)")
    }

    @Test(arguments: [
        ("{{.RepoTags}} {{.Os}}", "[demo:1] linux"),
        ("{{json .Config.Cmd}}", #"["sh","-c","x y"]"#),
        ("{{range .RepoTags}}<{{.}}>{{end}}", "<demo:1>"),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "other=z;x=y;"),
        ("{{range $i, $v := .Config.Cmd}}{{if $i}}, {{end}}{{$v}}{{end}}", "sh, -c, x y"),
        ("{{range .Config.None}}a{{else}}none{{end}}", "none"),
        ("{{range .Config.Cmd}}{{$.Os}} {{end}}", "linux linux linux "),
        (#"{{index .Config.Labels "x"}} {{index .Config.Cmd 0}} {{len .Config.Env}}"#, "y sh 1"),
        (#"{{if .Config.User}}user{{else if eq .Os "linux"}}root{{else}}other{{end}}"#, "root"),
        (#"{{if and .Os (not .Config.User) (ne .Os "plan9")}}yes{{end}}"#, "yes"),
        ("{{with .Config.Labels}}{{.x}}{{end}}{{with .Config.User}}no{{else}} {{.Os}}{{end}}", "y linux"),
        (
            #"{{join .Config.Cmd "/"}} {{.Os | upper}} {{upper .Os | lower | json}}"#,
            #"sh/-c/x y LINUX "linux""#
        ),
        ("a {{- /* nothing */ -}}  b{{/* }} \" */}}", "ab"),
        ("a  {{- .Os -}}  b", "alinuxb"),
        (#"{{printf "%-6s|%3d|%.2s|%q|%%" .Os 7 .Os "a"}}"#, #"linux |  7|li|"a"|%"#),
        (
            "{{$x := .Os}}{{$x}} {{(index .RepoTags 0)}} {{slice .Os 1 3}} {{.Config.None.Less}}",
            "linux demo:1 in <no value>"
        ),
        ("{{if lt 1 2}}a{{end}}{{if ge 1.5 2}}b{{end}}{{if or false nil}}c{{end}}", "a"),
        (#"{{"}}"}}{{`\n`}}{{println "x"}}"#, "}}\\nx\n"),
        (
            #"{{split "a,b" ","}} {{title "abc"}} {{truncate "abcdef" 2}} {{print 1 true}}"#,
            "[a b] Abc ab 1true"
        ),
        ("", ""), (#"\t\n"#, "\t\n"),
    ])
    func `shows what docker's shows`(template: String, text: String) throws {
        let shown = try mica("inspect", "-f", template, "demo:1")
        #expect(shown.status == 0, "\(template): \(shown.error)")
        #expect(shown.output == "\(text)\n", "\(template)")
    }

    @Test(arguments: [
        ("{{.Nope}}", "inspect has no {{.Nope}}"), ("{{range .Layers}}{{end}}", "has no {{.Layers}}"),
        ("{{if .Os}}{{.Other}}{{end}}", "has no {{.Other}}"),
        ("{{environ}}", "no function environ"), (#"{{template "a"}}"#, "no such word"),
        (#"{{define "a"}}{{end}}"#, "no such word"), ("{{range .RepoTags}}{{break}}{{end}}", "no such word"),
        ("{{", "}} is missing"), ("{{}}", "nothing between"), ("{{.Os", "}} is missing"),
        ("{{if .Os}}", "{{end}} is missing"), ("{{end}}", "ends nothing"), ("{{else}}", "ends nothing"),
        ("{{if .Os}}{{else}}{{else}}{{end}}", "{{end}} is missing"),
        ("{{.Os.Name}}", "linux has no .Name"), ("{{$x}}", "no variable $x"), ("{{len}}", "arguments"),
        ("{{.Os 5}}", "only functions"), (#"{{.Label "x"}}"#, #"has no {{.Label "KEY"}}"#),
        ("{{range .Os}}{{end}}", "no elements"),
        ("{{index .RepoTags 5}}", "no element 5"), (#"{{"a"#, "}} is missing"), (#"{{"\x"}}"#, "not known"),
        ("{{lt .Os 1}}", "compared"), (#"{{printf "%x" 1}}"#, "not known"), ("{{(.Os}}", ") is missing"),
        (#"{{printf "%s"}}"#, "no value"), ("table {{.Os}}", "no table"), ("{{.Os |}}", "behind |"),
        ("{{%}}", "% is not known"), ("{{.Os | .Id}}", "wants a function"),
    ])
    func `is refused in one sentence where it is none, or mica has not all of it`(
        template: String,
        words: String
    ) throws {
        let shown = try mica("inspect", "--format", template, "demo:1")
        #expect(shown.status == 64, "\(template): \(shown.output)")
        #expect(shown.error.contains(words), "\(template): \(shown.error)")
        #expect(shown.output == "")
    }

    @Test(.enabled(if: geteuid() == 0, "makes a container"))
    func `shows what labels a container has from its image`() throws {
        let made = try mica("create", "--name", "one", "demo:1")
        #expect(made.status == 0, "\(made.error)")
        let shown = try mica(
            "ps",
            "-a",
            "--format",
            #"{{.Names}}|{{.Labels}}|{{.Label "x"}}|{{if .Label "none"}}a{{else}}b{{end}}|{{upper ($.Label "other")}}|{{.Ports}}"#
        )
        #expect(shown.output == "one|other=z,x=y|y|b|Z|\n", "\(shown.error)")
        let table = try mica("ps", "-a", "--format", #"table {{.ID}}\t{{.Label "x"}}"#)
        #expect(table.output.hasPrefix("CONTAINER ID") && table.output.hasSuffix("y\n"), "\(table.error)")
        #expect(try mica("rm", "one").status == 0)
    }

    /// Docker's names for the fields of each verb; a name is known also where there is no row.
    @Test(arguments: [
        ("ps", "ID Image Command CreatedAt RunningFor Ports State Status Names Labels Mounts Networks Size"),
        (
            "images",
            "ID Repository Tag Digest CreatedSince CreatedAt Size Containers SharedSize UniqueSize"
        ),
        ("history demo:1", "ID CreatedSince CreatedAt CreatedBy Size Comment"),
        ("system df", "Type TotalCount Active Size Reclaimable"),
        (
            "info",
            "Containers ContainersRunning ContainersPaused ContainersStopped Images Driver KernelVersion OSType "
                + "Architecture NCPU MemTotal DockerRootDir ServerVersion Name"
        ),
        ("version", "Client.Version Client.Os Client.Arch Server.Version Server.Os Server.Arch"),
        (
            "inspect demo:1",
            "Id RepoTags RepoDigests Created Author Architecture Os Size Config.Cmd RootFS.Layers"
        ),
    ])
    func `has docker's fields`(verb: String, fields: String) throws {
        let words = verb.split(separator: " ").map(String.init)
        let template = fields.split(separator: " ").map { "{{.\($0)}}" }.joined(separator: "|")
        let shown = try mica.run(words + ["--format", template])
        #expect(shown.status == 0, "\(shown.error)")
        for line in shown.output.split(separator: "\n") {
            #expect(
                line.split(separator: "|", omittingEmptySubsequences: false).count
                    == fields.split(separator: " ").count
            )
            #expect(!line.contains("<no value>"), "\(line)")
        }
        let unknown = try mica.run(words + ["--format", "{{.Nonsense}}"])
        #expect(unknown.status == 64 && unknown.error.contains("{{.Nonsense}}"), "\(unknown.error)")
        if verb == "images" || verb == "ps" {
            let table = try mica.run(words + ["--format", "table {{.ID}}\t{{.Size}}"])
            #expect(table.output.hasPrefix(verb == "ps" ? "CONTAINER ID" : "IMAGE ID"), "\(table.error)")
        }
    }
}
