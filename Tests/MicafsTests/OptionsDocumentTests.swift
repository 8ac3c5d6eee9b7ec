import Foundation
import MountFixtures
import Options
import Testing

@Suite(.timeLimit(.minutes(40))) struct `docs/OPTIONS.md` {
    @Test func `has every option that there is`() throws {
        let text = try String(
            contentsOf: Tool.package.appendingPathComponent("docs/OPTIONS.md"),
            encoding: .utf8
        )
        for option in KnownOptions.all {
            #expect(
                ["`\(option)`", "`\(option)=", "`-o \(option)"].contains { text.contains($0) },
                "\(option)"
            )
        }
    }
}
