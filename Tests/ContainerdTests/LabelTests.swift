import Containerd
import Linux
import Testing

@Suite(.timeLimit(.minutes(40)))
struct `A change of labels` {
    @Test func `replaces all, or sets and removes those that are named`() throws {
        #expect(try LabelChange(to: ["a": "1"], paths: []) == .replacingAll(["a": "1"]))
        #expect(try LabelChange(to: ["a": "1"], paths: ["labels"]) == .replacingAll(["a": "1"]))
        #expect(
            try LabelChange(to: ["a": "1"], paths: ["labels.a.b", "labels"]) == .replacingAll(["a": "1"])
        )
        #expect(
            try LabelChange(to: ["a.b": "1", "c": ""], paths: ["labels.a.b", "labels.c", "labels.d"])
                == .setting(["a.b": "1", "c": nil, "d": nil])
        )
    }

    @Test(arguments: ["name", "parent", "kind", "labels.", "created_at", "", "label"])
    func `changes nothing else`(path: String) throws {
        let failure = try #require(throws: Failure.self) {
            try LabelChange(to: [:], paths: ["labels.a", path])
        }
        #expect(failure.kind == .invalidArgument)
    }
}
