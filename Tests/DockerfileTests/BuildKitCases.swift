import Dockerfile
import Linux
import OCI
import SystemPackage

import Glibc

/// Reads BuildKit's cases, and writes a Dockerfile as its parser's tests do.
enum BuildKitCases {
    static let root: FilePath? = getenv("MICA_BUILDKIT").map { FilePath(String(cString: $0)) }

    private static func path(_ name: String) -> FilePath { (root ?? ".").pushing(FilePath(name)) }

    static func text(_ name: String) throws -> String {
        let file = try FileDescriptor.open(path(name), .readOnly)
        return try file.closeAfter {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0) }
                if count == 0 { return String(decoding: bytes, as: UTF8.self) }
                bytes += buffer[..<count]
            }
        }
    }

    static func directories(_ name: String) throws -> [String] {
        guard let directory = opendir(path(name).string) else { throw Errno(rawValue: errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// The cases are no whole Dockerfiles: some have no FROM, which is put in where it is missed.
    static func dump(_ text: String) throws(DockerfileError) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var isAdded = false
        let file: Dockerfile
        do throws(DockerfileError) {
            file = try read(text)
        } catch {
            guard error.message == "no build stage in current context", let line = error.lines?.lowerBound
            else {
                throw error
            }
            lines.insert("FROM added", at: line - 1)
            isAdded = true
            file = try read(lines.joined(separator: "\n"))
        }
        var result: [(line: Int, text: String)] = []
        for instruction in file.globals { result.append(line(instruction)) }
        for stage in file.stages {
            if !isAdded || stage.number > 0 { result.append((stage.source.lines.lowerBound, from(stage))) }
            result += stage.instructions.map(line)
        }
        return result.sorted { $0.line < $1.line }.map { "(\($0.text))\n" }.joined()
    }

    private static func line(_ instruction: Instruction) -> (Int, String) {
        (instruction.source.lines.lowerBound, text(instruction))
    }

    private static func from(_ stage: Stage) -> String {
        let words = stage.source.text.split { $0 == " " || $0 == "\t" }.dropFirst()
        return (["from"] + words.map { quoted(String($0)) }).joined(separator: " ")
    }

    /// As Go's %q.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    private static func words(_ command: CommandLine) -> [String] {
        switch command {
        case .shell(let text): text.isEmpty ? [] : [text]
        case .exec(let words): words
        }
    }

    private static func text(_ instruction: Instruction) -> String {
        var words: [String]
        switch instruction.operation {
        case .arg(let list): words = list.map { $0.name + ($0.value.map { "=\($0.text)" } ?? "") }
        case .env(let list), .label(let list):
            words = list.flatMap { [$0.name.text, $0.value.text, $0.isLegacy ? "" : "="] }
        case .run(let run): words = self.words(run.command)
        case .cmd(let command), .entrypoint(let command): words = self.words(command)
        case .copy(let copy): words = files(copy.files)
        case .add(let add): words = files(add.files)
        case .shell(let list): words = list
        case .user(let word), .workdir(let word), .stopsignal(let word): words = [word.text]
        case .volume(let list), .expose(let list): words = list.map(\.text)
        case .healthcheck(let check): words = check.test ?? []
        case .maintainer(let name): words = [name]
        case .onbuild(let text):
            let inner = (try? Dockerfile.parse(trigger: text, of: instruction.source)).map(self.text)
            return "onbuild (\(inner ?? text))"
        }
        if case .expose = instruction.operation {
            // BuildKit sorts them later.
            words = instruction.source.text.split { $0 == " " || $0 == "\t" }.dropFirst().map(String.init)
        }
        return ([instruction.keyword.rawValue.lowercased()] + words.map(quoted)).joined(separator: " ")
    }

    private static func files(_ files: Instruction.Files) -> [String] {
        files.sources.map(\.text) + [files.destination.text]
    }
}
