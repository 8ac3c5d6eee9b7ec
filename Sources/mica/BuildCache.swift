import Build
import Linux
import OCI
import SystemPackage

/// `--cache-from` and `--cache-to`, as docker understands them.
struct BuildCache {
    let place: CachePlace
    /// All steps go there, not only those of the image.
    private(set) var isMax = false

    /// `option`: with the two dashes; `directory`: what the directory of a layout is called there.
    private init(_ text: String, _ option: String, directory: String, others: Set<String>) throws {
        func refusal(_ words: String, _ advice: String? = nil) -> Failure {
            Failure("\(option) \(text): \(words)", advice: advice, kind: .invalidArgument)
        }
        guard text.contains("=") else {
            place = .registry(try ImageReference(text))
            return
        }
        var fields: [String: String] = [:]
        for part in text.split(separator: ",") {
            let (name, value) = try BuildCommand.pair(String(part), of: option)
            fields[name] = value
        }
        let key: String
        switch fields["type"] {
        case "registry":
            key = "ref"
            place = .registry(try ImageReference(fields["ref"] ?? ""))
        case "local":
            key = directory
            guard let path = fields[directory], !path.isEmpty else {
                throw refusal("\(directory)=DIR is missing")
            }
            place = .directory(FilePath(path))
        case let type:
            throw refusal(
                "there is no type \"\(type ?? "")\"",
                "There are registry (type=registry,ref=NAME, or NAME alone) and local (type=local,\(directory)=DIR)."
            )
        }
        if let unknown = Set(fields.keys).subtracting(others.union(["type", key])).min() {
            throw refusal("\(unknown) is not known")
        }
        switch fields["mode"] {
        case nil, "min": break
        case "max": isMax = true
        case let mode?: throw refusal("there is no mode \"\(mode)\", only min and max")
        }
    }

    init(from text: String) throws {
        try self.init(text, "--cache-from", directory: "src", others: [])
    }

    init(to text: String) throws {
        try self.init(text, "--cache-to", directory: "dest", others: ["mode"])
    }
}
