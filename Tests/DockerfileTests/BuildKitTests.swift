import Dockerfile
import Linux
import SystemPackage
import Testing

import Glibc

/// BuildKit's own cases, from a clone of github.com/moby/buildkit: nothing of it is in this repository, so they are
/// tried by hand.
@Suite(
    .timeLimit(.minutes(40)),
    .enabled(if: BuildKitCases.root != nil, "set MICA_BUILDKIT to a clone of github.com/moby/buildkit")
)
struct `Dockerfile module beside BuildKit` {
    @Test func `reads what its parser reads, in the same way`() throws {
        let cases = try BuildKitCases.directories("frontend/dockerfile/parser/testfiles")
        #expect(!cases.isEmpty)
        var differing: [String: String] = [:]
        for name in cases {
            let text = try BuildKitCases.text("frontend/dockerfile/parser/testfiles/\(name)/Dockerfile")
            let expected = try BuildKitCases.text("frontend/dockerfile/parser/testfiles/\(name)/result")
            do {
                let dump = try BuildKitCases.dump(text)
                if dump != expected { differing[name] = firstLines(dump, expected) }
            } catch {
                differing[name] = "\(error)"
            }
        }
        print("parser/testfiles: \(cases.count - differing.count) of \(cases.count) as BuildKit")
        for (name, reason) in differing.sorted(by: { $0.key < $1.key }) { print("  \(name): \(reason)") }
        // These have flags, arguments or characters that BuildKit refuses only after its parser.
        let known: Set<String> = ["flags", "health", "json"]
        #expect(Set(differing.keys).subtracting(known).isEmpty)
    }

    private func firstLines(_ left: String, _ right: String) -> String {
        for (own, other) in zip(left.split(separator: "\n"), right.split(separator: "\n")) where own != other
        {
            return "\(own) instead of \(other)"
        }
        return "another number of lines"
    }

    @Test func `refuses what its parser refuses`() throws {
        let cases = try BuildKitCases.directories("frontend/dockerfile/parser/testfiles-negative")
        #expect(!cases.isEmpty)
        for name in cases {
            let text = try BuildKitCases.text(
                "frontend/dockerfile/parser/testfiles-negative/\(name)/Dockerfile"
            )
            #expect(throws: DockerfileError.self, "\(name)") { try read(text) }
        }
        print("parser/testfiles-negative: \(cases.count) of \(cases.count) refused")
    }

    @Test func `expands what its shell lexer expands`() throws {
        let variables = Variables(environment: ["PWD=/home", "SHELL=bash", "KOREAN=한국어", "NULL="])
        var count = 0
        for line in try BuildKitCases.text("frontend/dockerfile/shell/envVarTest").split(separator: "\n") {
            let parts = line.split(separator: "|", omittingEmptySubsequences: false).map(trimmed)
            guard !line.hasPrefix("#"), parts.count == 3, parts[0] != "W" else { continue }
            count += 1
            let value = (try? Word(parts[1]).expand(with: variables)) ?? "error"
            #expect(value == parts[2], "\(parts[1])")
        }
        #expect(count > 0)
        print("shell/envVarTest: \(count) tried")
    }

    @Test func `splits what its shell lexer splits`() throws {
        var environment: [String] = []
        var count = 0
        for line in try BuildKitCases.text("frontend/dockerfile/shell/wordsTest").split(separator: "\n") {
            if line.hasPrefix("#") { continue }
            if line.hasPrefix("ENV ") {
                environment.append(String(line.dropFirst(4).drop { $0 == " " }))
                continue
            }
            let parts = line.split(separator: "|", omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            count += 1
            let expected = parts[1].drop { $0 == " " }.split(separator: ",", omittingEmptySubsequences: false)
            let word = Word(trimmed(parts[0]))
            let words = (try? word.expandToWords(with: Variables(environment: environment))) ?? ["error"]
            #expect(words == expected.map(String.init), "\(word.text)")
        }
        #expect(count > 0)
        print("shell/wordsTest: \(count) tried")
    }

    private func trimmed(_ text: Substring) -> String {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
