import Digests
import Testing

/// Archives and layouts of one image, of two layers: what shape they have, and what becomes of them.
struct OddArchives: Sendable, CustomTestStringConvertible {
    enum Form: Sendable { case tar, gzip, zstd, xz, bzip2, pipe, directory }
    enum Outcome: Sendable {
        /// The image is there, with these words on standard error.
        case loads(saying: String = "")
        /// docs/IMAGES.md says why.
        case refused(String)
    }

    let what: String
    let form: Form
    let outcome: Outcome
    let make: @Sendable (inout ArchiveFiles) -> Void

    var testDescription: String { what }

    init(
        _ what: String,
        _ form: Form = .tar,
        outcome: Outcome = .loads(),
        _ make: @escaping @Sendable (inout ArchiveFiles) -> Void
    ) {
        (self.what, self.form, self.outcome, self.make) = (what, form, outcome, make)
    }

    /// d/a is "one", d/b is "two".
    static let layers: [[UInt8]] = [
        ([.directory("d"), .file("d/a", "one")] as Layer).tar, ([.file("d/b", "two")] as Layer).tar,
    ]
    static let diffIDs = layers.map { "\"\(SHA256.digest(of: $0))\"" }.joined(separator: ",")

    static func config(_ more: String = #""config":{"Cmd":["sh"]}"#) -> String {
        #"{"architecture":"amd64","os":"linux",\#(more),"rootfs":{"type":"layers","diff_ids":[\#(diffIDs)]}}"#
    }

    private static let ociConfig = "application/vnd.oci.image.config.v1+json"
    private static let ociLayer = "application/vnd.oci.image.layer.v1.tar"
    private static let ociManifest = "application/vnd.oci.image.manifest.v1+json"
    private static let ociIndex = "application/vnd.oci.image.index.v1+json"
    private static let named = #","annotations":{"org.opencontainers.image.ref.name":"localhost/odd:1"}"#

    /// Adds the image's blobs; its manifest's descriptor, without braces.
    @discardableResult
    private static func image(
        _ files: inout ArchiveFiles,
        config text: String = config(),
        type: String? = ociConfig,
        layerType: String? = ociLayer,
        manifestType: String? = ociManifest,
        more: String = ""
    ) -> String {
        let config = files.blob(text, type)
        let layers = layers.map { "{\(files.blob($0, layerType))}" }.joined(separator: ",")
        return files.blob(
            #"{"schemaVersion":2,"config":{\#(config)},"layers":[\#(layers)]\#(more)}"#,
            manifestType
        )
    }

    private static func layout(_ files: inout ArchiveFiles, config text: String = config()) {
        let manifest = image(&files, config: text)
        files.index(["{\(manifest)\(named)}"])
    }

    /// What `docker save` wrote before version 25, with one directory a layer.
    private static func docker(
        _ files: inout ArchiveFiles,
        config text: String = config(),
        manifest: (String) -> String = {
            #"[{"Config":"\#($0)","RepoTags":["localhost/odd:1"],"Layers":["1/layer.tar","2/layer.tar"]}]"#
        }
    ) {
        let name = "\(SHA256.digest(of: Array(text.utf8)).hex).json"
        for (number, layer) in layers.enumerated() {
            files.add("\(number + 1)/VERSION", "1.0")
            files.add("\(number + 1)/json", "{}")
            files.add("\(number + 1)/layer.tar", layer)
        }
        files.add(name, text)
        files.add("manifest.json", manifest(name))
        files.add("repositories", #"{"localhost/odd":{"1":"2"}}"#)
    }

    /// A manifest of something else, beside the image.
    private static func layout(
        _ files: inout ArchiveFiles,
        beside config: String,
        _ configType: String,
        layer layerType: String,
        entry: String = "",
        more: String = ""
    ) {
        let image = image(&files)
        let config = files.blob(config, configType)
        let layer = files.blob("something", layerType)
        let other = files.blob(
            #"{"schemaVersion":2,"config":{\#(config)},"layers":[{\#(layer)}]\#(more)}"#,
            ociManifest
        )
        files.index(["{\(image)\(named)}", "{\(other)\(entry)}"])
    }

    static let all: [OddArchives] = dockerArchives + layouts + documents + companions + refused

    private static let dockerArchives: [OddArchives] = [
        OddArchives("a docker-archive") { docker(&$0) },
        OddArchives("a docker-archive, gzip", .gzip) { docker(&$0) },
        OddArchives("a docker-archive, zstd", .zstd) { docker(&$0) },
        OddArchives("a docker-archive through a pipe", .pipe) { docker(&$0) },
        OddArchives("a docker-archive in a directory", .directory) { docker(&$0) },
        OddArchives("a docker-archive with ./ before its names") {
            docker(&$0)
            $0.prefixNames(with: "./")
        },
        OddArchives("a docker-archive with links for layers") {
            docker(&$0)
            $0.remove("2/layer.tar")
            $0.add("elsewhere/layer.tar", layers[1])
            $0.link("2/layer.tar", to: "../elsewhere/layer.tar")
        },
        OddArchives("a docker-archive with links for layers, in a directory", .directory) {
            docker(&$0)
            $0.remove("2/layer.tar")
            $0.add("elsewhere/layer.tar", layers[1])
            $0.link("2/layer.tar", to: "../elsewhere/layer.tar")
        },
        OddArchives("a docker-archive with members in lower case") {
            docker(&$0) {
                #"[{"config":"\#($0)","repoTags":["localhost/odd:1"],"layers":["1/layer.tar","2/layer.tar"]}]"#
            }
        },
        OddArchives("a docker-archive with members in upper case") {
            docker(&$0) {
                #"[{"CONFIG":"\#($0)","REPOTAGS":["localhost/odd:1"],"LAYERS":["1/layer.tar","2/layer.tar"]}]"#
            }
        },
        OddArchives("a docker-archive with a config in another letter case") {
            docker(
                &$0,
                config: #"{"Architecture":"amd64","OS":"linux","Config":{"cmd":["sh"]},"#
                    + #""RootFS":{"Type":"layers","Diff_IDs":[\#(diffIDs)]}}"#
            )
        },
        OddArchives("a docker-archive with a config of any name") { files in
            docker(&files) { _ in
                #"[{"Config":"config.json","RepoTags":["localhost/odd:1"],"Layers":["1/layer.tar","2/layer.tar"]}]"#
            }
            files.add("config.json", config())
        },
        OddArchives("a docker-archive and a layout at once") {
            layout(&$0)
            docker(&$0)
        },
        OddArchives("a docker-archive with an index.json of something else") {
            docker(&$0)
            $0.add("index.json", "{}")
        },
    ]

    private static let layouts: [OddArchives] =
        [
            OddArchives("a layout") { layout(&$0) },
            OddArchives("a layout, gzip", .gzip) { layout(&$0) },
            OddArchives("a layout, zstd", .zstd) { layout(&$0) },
            OddArchives("a layout through a pipe", .pipe) { layout(&$0) },
            OddArchives("a layout in a directory", .directory) { layout(&$0) },
            OddArchives("a layout with links for blobs, in a directory", .directory) {
                layout(&$0)
                let blob = "blobs/sha256/\(SHA256.digest(of: layers[0]).hex)"
                $0.remove(blob)
                $0.add("cache/layer", layers[0])
                $0.link(blob, to: "../../cache/layer")
            },
            OddArchives("a layout of docker's types") {
                let manifest = image(
                    &$0,
                    type: "application/vnd.docker.container.image.v1+json",
                    layerType: "application/vnd.docker.image.rootfs.diff.tar.gzip",
                    manifestType: "application/vnd.docker.distribution.manifest.v2+json"
                )
                $0.index(["{\(manifest)\(named)}"])
            },
            OddArchives("a layout of layers of no special type") {
                let manifest = image(&$0, layerType: "application/octet-stream")
                $0.index(["{\(manifest)\(named)}"])
            },
            OddArchives("a layout without types") {
                let manifest = image(&$0, type: nil, layerType: nil, manifestType: nil)
                $0.index(["{\(manifest)\(named)}"])
            },
            OddArchives("a layout with an index between") {
                let manifest = image(&$0)
                let index = $0.blob(#"{"schemaVersion":2,"manifests":[{\#(manifest)}]}"#, ociIndex)
                $0.index(["{\(index)\(named)}"])
            },
        ]
        + [
            "application/octet-stream", "application/json", "text/html", "text/plain; charset=utf-8",
            "application/x-odd",
        ]
        .map { type in
            OddArchives("a layout with a config of the type \(type)") {
                let manifest = image(&$0, type: type)
                $0.index(["{\(manifest)\(named)}"])
            }
        }

    private static let documents: [OddArchives] = [
        ("no history", #""config":{}"#), ("no config", #""author":"nobody""#),
        ("null for config", #""config":null"#),
        (
            "null for everything",
            #""config":{"Cmd":null,"Env":null,"Labels":null},"history":null,"created":null"#
        ),
        ("an empty history", #""history":[]"#),
        ("a history of one layer", #""history":[{"created_by":"x"}]"#),
        ("a history of three layers", #""history":[{},{},{}]"#),
        ("a null in its history", #""history":[{"created":null},{}]"#),
        (
            "a time of the year 1",
            #""created":"0001-01-01T00:00:00Z","history":[{"created":"0001-01-01T00:00:00Z"},{}]"#
        ),
        ("a time that is none", #""created":"yesterday""#),
        ("a time with a zone", #""created":"2024-05-06T07:08:09.123456789+02:00""#),
        ("a command that is no list", #""config":{"Cmd":"sh","Entrypoint":"/bin/x"}"#),
        (
            "members that nobody knows",
            #""config":{"Healthcheck":{"Test":["NONE"],"StartInterval":5},"X":[1.5,{}]},"y":9007199254740993"#
        ),
    ].map { what, more in OddArchives("a config with \(what)") { layout(&$0, config: config(more)) } }

    private static let companions: [OddArchives] = [
        OddArchives("an attestation of a build beside the image", outcome: .loads(saying: "an attestation")) {
            layout(
                &$0,
                beside: "{}",
                ociConfig,
                layer: "application/vnd.in-toto+json",
                entry: #","platform":{"architecture":"unknown","os":"unknown"},"annotations":{"#
                    + #""vnd.docker.reference.type":"attestation-manifest"}"#
            )
        },
        OddArchives("an attestation without its mark", outcome: .loads(saying: "an attestation")) {
            layout(&$0, beside: config(), ociConfig, layer: "application/vnd.in-toto+json")
        },
        OddArchives("a signature of cosign's beside the image", outcome: .loads(saying: "a signature")) {
            layout(
                &$0,
                beside: config(),
                ociConfig,
                layer: "application/vnd.dev.cosign.simplesigning.v1+json",
                entry: #","annotations":{"org.opencontainers.image.ref.name":"localhost/odd:sha256-0.sig"}"#
            )
        },
        OddArchives("a referrer beside the image", outcome: .loads(saying: "an artifact")) {
            layout(
                &$0,
                beside: "{}",
                "application/vnd.oci.empty.v1+json",
                layer: "application/spdx+json",
                more: #","artifactType":"application/spdx+json","subject":{}"#
            )
        },
        OddArchives("an artifact's manifest beside the image", outcome: .loads(saying: "an artifact")) {
            let image = image(&$0)
            let type = "application/vnd.oci.artifact.manifest.v1+json"
            let other = $0.blob(#"{"mediaType":"\#(type)","artifactType":"x/y","blobs":[]}"#, type)
            $0.index(["{\(image)\(named)}", "{\(other)}"])
        },
        OddArchives("a chart beside the image", outcome: .loads(saying: "an artifact")) {
            layout(
                &$0,
                beside: "{}",
                "application/vnd.cncf.helm.config.v1+json",
                layer: "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
            )
        },
    ]

    private static let refused: [OddArchives] = [
        OddArchives("a chart alone", outcome: .refused("no container image")) {
            let config = $0.blob("{}", "application/vnd.cncf.helm.config.v1+json")
            let manifest = $0.blob(#"{"schemaVersion":2,"config":{\#(config)},"layers":[]}"#, ociManifest)
            $0.index(["{\(manifest)}"])
        },
        OddArchives("a plugin of docker's", outcome: .refused("a plugin of docker's")) {
            let manifest = image(&$0, type: "application/vnd.docker.plugin.v1+json")
            $0.index(["{\(manifest)}"])
        },
        OddArchives("an encrypted layer", outcome: .refused("can't read \(ociLayer)+gzip+encrypted")) {
            let manifest = image(&$0, layerType: "\(ociLayer)+gzip+encrypted")
            $0.index(["{\(manifest)\(named)}"])
        },
        OddArchives("a manifest of version 1", outcome: .refused("schema version 1")) {
            let manifest = $0.blob(#"{"schemaVersion":1,"fsLayers":[],"history":[]}"#, ociManifest)
            $0.index(["{\(manifest)}"])
        },
        OddArchives("digests that are not SHA-256", outcome: .refused("sha512")) {
            let digest = "sha512:" + String(repeating: "0", count: 128)
            $0.index([#"{"mediaType":"\#(ociManifest)","digest":"\#(digest)","size":1}"#])
        },
        OddArchives("no images", outcome: .refused("there is no image")) { $0.index([]) },
        OddArchives("no image in a docker-archive", outcome: .refused("there is no image")) {
            $0.add("manifest.json", "[]")
        },
        OddArchives(
            "neither one nor the other",
            outcome: .refused("neither an OCI layout nor a docker-archive")
        ) {
            $0.add("etc/passwd", "root")
        },
        OddArchives("an index.json without a layout", outcome: .refused("no oci-layout file")) {
            layout(&$0)
            $0.remove("oci-layout")
        },
        OddArchives("a layout of version 2", outcome: .refused("OCI layout of version 2")) {
            layout(&$0)
            $0.remove("oci-layout")
            $0.add("oci-layout", #"{"imageLayoutVersion":"2.0.0"}"#)
        },
        OddArchives("a directory of skopeo's", .directory, outcome: .refused("skopeo copy dir:")) {
            let config = $0.blob(config(), ociConfig)
            $0.add("version", "Directory Transport Version: 1.1\n")
            $0.add("manifest.json", #"{"schemaVersion":2,"config":{\#(config)},"layers":[]}"#)
        },
        OddArchives("a missing layer", outcome: .refused("is missing")) {
            docker(&$0)
            $0.remove("2/layer.tar")
        },
        OddArchives("another number of layers", outcome: .refused("manifest.json has 1 layers, its config 2"))
        {
            docker(&$0) { #"[{"Config":"\#($0)","Layers":["1/layer.tar"]}]"# }
        },
        OddArchives("a member twice", outcome: .refused(#"as "Layers" and as "layers""#)) {
            docker(&$0) { #"[{"Config":"\#($0)","Layers":["1/layer.tar","2/layer.tar"],"layers":[]}]"# }
        },
        OddArchives("a member twice, spelled the same", outcome: .refused(#""Layers" is there twice"#)) {
            docker(&$0) { #"[{"Config":"\#($0)","Layers":["1/layer.tar","2/layer.tar"],"Layers":[]}]"# }
        },
        OddArchives("a config without a root filesystem", outcome: .refused(#""rootfs" is missing"#)) {
            docker(&$0, config: #"{"architecture":"amd64","os":"linux"}"#)
        },
        OddArchives("layers in another order", outcome: .refused("diffID")) {
            docker(&$0) { #"[{"Config":"\#($0)","Layers":["2/layer.tar","1/layer.tar"]}]"# }
        },
        OddArchives("a config that is not what its name says", outcome: .refused("damaged")) { files in
            docker(&files)
            let name = "\(SHA256.digest(of: Array(config().utf8)).hex).json"
            files.remove(name)
            files.add(name, config(#""author":"another""#))
        },
        OddArchives("a name that is none", outcome: .refused("not an image name")) {
            docker(&$0) {
                #"[{"Config":"\#($0)","RepoTags":["A B"],"Layers":["1/layer.tar","2/layer.tar"]}]"#
            }
        },
        OddArchives("a docker-archive, xz", .xz, outcome: .refused("compressed with xz")) { docker(&$0) },
        OddArchives("a docker-archive, bzip2", .bzip2, outcome: .refused("compressed with bzip2")) {
            docker(&$0)
        },
        OddArchives("a link out of the directory", .directory, outcome: .refused("leads out of it")) {
            docker(&$0)
            $0.remove("2/layer.tar")
            $0.link("2/layer.tar", to: "/etc/passwd")
        },
        OddArchives("a path out of the directory", .directory, outcome: .refused("is missing")) {
            docker(&$0) { #"[{"Config":"\#($0)","Layers":["1/layer.tar","../../../etc/passwd"]}]"# }
        },
    ]
}
