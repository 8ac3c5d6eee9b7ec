import Dockerfile
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Instruction of a Dockerfile` {
    @Test func `is read`() throws {
        let file = try Dockerfile.parse(Array("FROM a\nRUN b".utf8), name: "Dockerfile")
        #expect(file.stages.count == 1)
    }
}
