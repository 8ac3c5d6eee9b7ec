import Glibc
import Testing

import Union

/// What both forms of lower do with layers.
@Suite(.timeLimit(.minutes(40))) struct `Layers that are merged` {
    /// Whiteouts in directories need root.
    private static let forms: [Fixture.Form] = geteuid() == 0 ? [.chain, .directories] : [.chain]

    private func fixture(_ form: Fixture.Form) throws -> Fixture {
        try Fixture.$form.withValue(form) { try Fixture() }
    }

    @Test(arguments: forms)
    func `show the topmost of each name and hide what a whiteout covers`(form: Fixture.Form) throws {
        let fixture = try fixture(form)
        try fixture.add([
            "a": .file("low"), "b": .file("low"), "d": .directory(["x": .file("1"), "y": .file("2")]),
        ])
        try fixture.add([
            "a": .file("high"), "b": .whiteout, "d": .directory(["y": .whiteout, "z": .file("3")]),
        ])
        let tree = try fixture.union()
        try expect(tree.contents("a") == "high")
        try expect(tree.stat("b") == nil)
        try expect(tree.names("") == ["a", "d"])
        try expect(tree.names("d") == ["x", "z"])
    }

    @Test(arguments: forms)
    func `hide everything below an opaque directory and below what replaced a directory`(
        form: Fixture.Form
    ) throws {
        let fixture = try fixture(form)
        try fixture.add(["d": .directory(["x": .file("1")]), "e": .directory(["x": .file("1")])])
        try fixture.add(["e": .file("no directory any more")])
        try fixture.add([
            "d": .directory(["y": .file("2")], isOpaque: true), "e": .directory(["z": .file("3")]),
        ])
        let tree = try fixture.union()
        try expect(tree.names("d") == ["y"])
        try expect(tree.names("e") == ["z"])
    }
}
