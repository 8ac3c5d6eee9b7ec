/// The parts of an image's config that mica reads. The config itself stays unchanged: the digest of its bytes is the
/// image's ID.
package struct ImageConfig: Codable, Sendable {
    package var architecture: String?
    package var os: String?
    package var variant: String?
    /// RFC 3339.
    package var created: String?
    package var author: String?
    package var config: Process?
    package var rootfs: RootFS
    package var history: [History]?

    package init(rootfs: RootFS) { self.rootfs = rootfs }

    enum CodingKeys: String, CodingKey {
        case architecture, os, variant, created, author, config, rootfs, history
    }

    package init(from decoder: any Decoder) throws {
        let members = try FoldedMembers(decoder, by: CodingKeys.self)
        architecture = try members.value(.architecture)
        os = try members.value(.os)
        variant = try members.value(.variant)
        created = try members.value(.created)
        author = try members.value(.author)
        config = try members.value(.config)
        rootfs = try members.required(.rootfs)
        history = try members.value(.history)
    }

    /// Parses a config; `name` is its name in errors.
    package init(json: [UInt8], name: String) throws {
        self = try JSONDocument.decode(ImageConfig.self, from: json, name: name)
    }

    /// The layers, bottom to top, by the digests of their tars.
    package var diffIDs: [Digest] { rootfs.diffIDs ?? [] }

    /// Seconds since 1970; 0 where the config has no time.
    package var createdSeconds: Int64 { created.flatMap(Timestamp.known) ?? 0 }

    /// How a container starts.
    package struct Process: Codable, Sendable {
        package var user: String?
        /// `NAME=value`.
        package var environment: [String]?
        package var entrypoint: [String]?
        package var command: [String]?
        package var workingDirectory: String?
        package var labels: [String: String]?
        /// `80/tcp` → nothing.
        package var exposedPorts: [String: Empty]?
        /// A path → nothing.
        package var volumes: [String: Empty]?
        /// `SIGTERM`, or a number.
        package var stopSignal: String?
        package var healthcheck: Healthcheck?
        /// The shell for commands that are not lists of words; `/bin/sh -c` where it is missing.
        package var shell: [String]?
        /// Instructions for builds that start from the image.
        package var onBuild: [String]?

        package init() {}

        package init(from decoder: any Decoder) throws {
            let members = try FoldedMembers(decoder, by: CodingKeys.self)
            user = try members.value(.user)
            environment = try members.value(.environment)
            entrypoint = try members.list(.entrypoint)
            command = try members.list(.command)
            workingDirectory = try members.value(.workingDirectory)
            labels = try members.value(.labels)
            exposedPorts = try members.value(.exposedPorts)
            volumes = try members.value(.volumes)
            stopSignal = try members.value(.stopSignal)
            healthcheck = try members.value(.healthcheck)
            shell = try members.list(.shell)
            onBuild = try members.value(.onBuild)
        }

        enum CodingKeys: String, CodingKey {
            case user = "User"
            case environment = "Env"
            case entrypoint = "Entrypoint"
            case command = "Cmd"
            case workingDirectory = "WorkingDir"
            case labels = "Labels"
            case exposedPorts = "ExposedPorts"
            case volumes = "Volumes"
            case stopSignal = "StopSignal"
            case healthcheck = "Healthcheck"
            case shell = "Shell"
            case onBuild = "OnBuild"
        }
    }

    package struct RootFS: Codable, Sendable {
        package var type: String?
        package var diffIDs: [Digest]?

        package init(diffIDs: [Digest]) {
            type = "layers"
            self.diffIDs = diffIDs
        }

        enum CodingKeys: String, CodingKey {
            case type
            case diffIDs = "diff_ids"
        }

        package init(from decoder: any Decoder) throws {
            let members = try FoldedMembers(decoder, by: CodingKeys.self)
            type = try members.value(.type)
            diffIDs = try members.value(.diffIDs)
        }
    }

    /// One step in making the image.
    package struct History: Codable, Sendable {
        package var created: String?
        package var createdBy: String?
        package var author: String?
        package var comment: String?
        /// The step changed only the config: it has no layer.
        package var emptyLayer: Bool?

        package init(created: String?, createdBy: String?, comment: String? = nil, emptyLayer: Bool? = nil) {
            self.created = created
            self.createdBy = createdBy
            self.comment = comment
            self.emptyLayer = emptyLayer
        }

        enum CodingKeys: String, CodingKey {
            case created, author, comment
            case createdBy = "created_by"
            case emptyLayer = "empty_layer"
        }

        package init(from decoder: any Decoder) throws {
            let members = try FoldedMembers(decoder, by: CodingKeys.self)
            created = try members.value(.created)
            createdBy = try members.value(.createdBy)
            author = try members.value(.author)
            comment = try members.value(.comment)
            emptyLayer = try members.value(.emptyLayer)
        }
    }

    package struct Healthcheck: Codable, Sendable {
        /// `["NONE"]`, `["CMD", argument …]` or `["CMD-SHELL", command]`.
        package var test: [String]?
        /// In nanoseconds.
        package var interval: Int64?
        package var timeout: Int64?
        package var startPeriod: Int64?
        package var startInterval: Int64?
        package var retries: Int?

        package init(test: [String]) { self.test = test }

        package init(from decoder: any Decoder) throws {
            let members = try FoldedMembers(decoder, by: CodingKeys.self)
            test = try members.list(.test)
            interval = try members.value(.interval)
            timeout = try members.value(.timeout)
            startPeriod = try members.value(.startPeriod)
            startInterval = try members.value(.startInterval)
            retries = try members.value(.retries)
        }

        enum CodingKeys: String, CodingKey {
            case test = "Test"
            case interval = "Interval"
            case timeout = "Timeout"
            case startPeriod = "StartPeriod"
            case startInterval = "StartInterval"
            case retries = "Retries"
        }
    }

    /// Go's `struct{}`: the names count, the values are empty objects.
    package struct Empty: Codable, Sendable {
        package init() {}
    }
}
