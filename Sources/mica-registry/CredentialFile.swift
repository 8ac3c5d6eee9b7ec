import FoundationEssentials
import Glibc
import Linux
import OCI
import SystemPackage

/// docker's config.json, or containers' auth.json.
struct CredentialFile {
    let path: String
    private var document: JSONValue
    /// What `document` was read from. A change leaves all else in it as the user, or another program, has written it.
    private var text: JSONText

    /// The files that there may be, in the order in which they count.
    static var paths: [String] {
        func variable(_ name: String) -> String? {
            getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
        }
        let home = variable("HOME")
        return [
            variable("REGISTRY_AUTH_FILE"), variable("DOCKER_CONFIG").map { "\($0)/config.json" },
            variable("XDG_RUNTIME_DIR").map { "\($0)/containers/auth.json" },
            home.map { "\($0)/.config/containers/auth.json" }, home.map { "\($0)/.docker/config.json" },
        ].compactMap(\.self)
    }

    /// Where new entries go: what a variable names, or docker's, which containers' tools read as well. nil: nowhere.
    static var usual: String? {
        func isNamed(_ variable: String) -> Bool { getenv(variable).map { $0.pointee != 0 } ?? false }
        return isNamed("REGISTRY_AUTH_FILE") || isNamed("DOCKER_CONFIG") ? paths.first : paths.last
    }

    /// nil where there is none, or nothing in it. Failure for one that can't be read.
    init?(_ path: String) throws {
        let bytes: [UInt8]
        do {
            bytes = try OwnedFD.open(FilePath(path), O_RDONLY).contents(limit: 16 << 20)
        } catch {
            guard [ENOENT, ENOTDIR].contains(error.rawValue) else { throw Failure("read \(path)", error) }
            return nil
        }
        guard !bytes.isEmpty else { return nil }
        document = try JSONDocument.decode(JSONValue.self, from: bytes, name: path)
        guard case .object = document else {
            throw Failure("\(path) can't be read as JSON with names and passwords of registries")
        }
        text = JSONText(bytes)
        self.path = path
    }

    private init(empty path: String) {
        self.path = path
        document = .object([:])
        text = JSONText(Array("{}\n".utf8))
    }

    // MARK: - Reading

    func find(_ name: RegistryName) throws -> Credentials? {
        for key in name.repositoryKeys {
            if let helper = document["credHelpers"]?[key]?.text {
                return try CredentialHelper(helper).get(key)
            }
            if let found = entry(key) { return found }
        }
        guard let helper = store else { return nil }
        for key in name.keys { if let found = try CredentialHelper(helper).get(key) { return found } }
        return nil
    }

    /// What is odd here may be another registry's.
    private func entry(_ key: String) -> Credentials? {
        guard let entry = document["auths"]?[key], let text = entry["auth"]?.text else { return nil }
        return Credentials(encoded: text, identityToken: entry["identitytoken"]?.text)
    }

    private var store: String? { document["credsStore"]?.text.flatMap { $0.isEmpty ? nil : $0 } }

    /// Whether it says something of the registry.
    func has(_ name: RegistryName) -> Bool {
        name.keys.contains { document["auths"]?[$0] != nil || document["credHelpers"]?[$0] != nil }
    }

    // MARK: - Changing

    /// Stores them: where a helper is named for it, there. Returns what keeps them, in words.
    static func add(_ credentials: Credentials, for name: RegistryName, to path: String) throws -> String {
        var words = ""
        try change(path) { file in
            let key = file.present(name) ?? name.newKey(in: path)
            var entry: [String: String] = [:]
            if let helper = file.document["credHelpers"]?[key]?.text ?? file.store {
                try CredentialHelper(helper).store(credentials, for: key)
                words = "docker-credential-\(helper) keeps it."
            } else {
                entry["auth"] = credentials.encoded
                words =
                    "\(path) has it, for you alone, and not encrypted: a credential helper would be better."
            }
            for old in name.keys where old != key { file.text.remove(["auths", old]) }
            file.text.set(["auths", key], to: try JSONDocument.encode(entry))
            return true
        }
        return words
    }

    /// Takes them away; false where there are none.
    static func remove(_ name: RegistryName, from path: String) throws -> Bool {
        guard let file = try CredentialFile(path) else { return false }
        var found = false
        for key in name.keys {
            if let helper = file.document["credHelpers"]?[key]?.text ?? file.store {
                if try CredentialHelper(helper).erase(key) { found = true }
            }
        }
        guard name.keys.contains(where: { file.document["auths"]?[$0] != nil }) else { return found }
        try change(path) { file in
            for key in name.keys { file.text.remove(["auths", key]) }
            return true
        }
        return true
    }

    private func present(_ name: RegistryName) -> String? {
        name.keys.first { document["auths"]?[$0] != nil || document["credHelpers"]?[$0] != nil }
    }

    /// Replaces the file by what `body` makes of it, unless that returns false. A reader sees the old or the new one,
    /// and a lock keeps two programs from losing each other's change.
    private static func change(_ path: String, _ body: (inout CredentialFile) throws -> Bool) throws {
        let file = CredentialFile.target(of: FilePath(path))
        let directory = file.removingLastComponent()
        try naming("create \(directory)") { try directory.makeDirectories(mode: 0o700) }
        let lock = try naming("open \(directory)") { try OwnedFD.open(directory, O_RDONLY | O_DIRECTORY) }
        var tries = 0
        while lock.use({ flock($0, LOCK_EX | LOCK_NB) }) != 0 {
            tries += 1
            guard errno == EWOULDBLOCK, tries < 200 else { throw Failure("lock \(directory)", .last) }
            usleep(50_000)
        }
        var contents = try CredentialFile(file.string) ?? CredentialFile(empty: file.string)
        guard try body(&contents) else { return }
        try naming("write \(file)") { try contents.write(to: file) }
    }

    /// The file may be a link to where the user keeps such files, and that file need not be there yet.
    private static func target(of path: FilePath) -> FilePath {
        if let whole = path.withPlatformString({ realpath($0, nil) }) {
            defer { free(whole) }
            return FilePath(platformString: whole)
        }
        var file = path
        // As many links as the kernel follows.
        for _ in 0..<40 {
            guard let link = file.target else { break }
            file = file.removingLastComponent().pushing(FilePath(String(decoding: link, as: UTF8.self)))
        }
        return file
    }

    private func write(to file: FilePath) throws {
        // Not of a file in UTF-16, for example.
        guard (try? JSONDocument.decode(JSONValue.self, from: text.bytes, name: "")) != nil else {
            throw Failure("\(file) is not in UTF-8: it is not changed")
        }
        let name = file.lastComponent?.string ?? ""
        var draft = file.removingLastComponent().appending(".\(name).XXXXXX")
        // Mode 0600, whatever the umask.
        let output = try OwnedFD.create(unique: &draft)
        do {
            // A user's file stays the user's when root changes it.
            if let old = try? file.status(), old.st_uid != geteuid() {
                try output.use { raw throws(Errno) in
                    _ = try Errno.check(fchown(raw, old.st_uid, old.st_gid))
                }
            }
            try output.writeAll(text.bytes)
            try output.synchronize()
            try draft.rename(to: file)
        } catch {
            try? draft.unlink()
            throw error
        }
        try? file.removingLastComponent().synchronize()
    }
}

extension JSONValue {
    /// nil for what is no text.
    var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }
}
