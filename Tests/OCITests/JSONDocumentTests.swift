import Linux
import OCI
import Testing

@Suite(.timeLimit(.minutes(40))) struct `A JSON document` {
    private func decode(_ text: String) throws -> JSONValue {
        try JSONDocument.decode(JSONValue.self, from: Array(text.utf8), name: "it")
    }

    @Test(arguments: [
        #"{"a":1,"a":2}"#, #"{"a":{"b":1,"c":[{"d":"}"},{}],"b":2}}"#, #"[{"a":1},{"a":1,"\u0061":2}]"#,
        #"{"a\"":1,"b":"\\","a\"":2}"#, #"{"":1,"":2}"#,
    ])
    func `with one name twice is refused`(text: String) {
        let failure = #expect(throws: Failure.self) { try decode(text) }
        #expect(failure?.message.contains("is there twice") == true, "\(failure?.message ?? "")")
    }

    @Test(arguments: [
        #"{"a":{"a":{"a":1}},"A":["a","a"],"b":"{\"a\":1,\"a\":2}"}"#, #"[{"a":1},{"a":2}]"#,
        #"{"a":"\\","b":"\""}"#,
        #"["a","a"]"#, #""a""#,
    ])
    func `with each name once is read`(text: String) throws { _ = try decode(text) }

    @Test(arguments: ["", "{", "[}", #"{"a"#, #"{"a\"#, #"{"\u00"#, "]]]", #"{"a":1,"#])
    func `that is cut short is no JSON`(text: String) {
        let failure = #expect(throws: Failure.self) { try decode(text) }
        #expect(failure?.message == "it: not valid JSON", "\(failure?.message ?? "")")
    }

    @Test func `has its members in any letter case, but each one once`() throws {
        let config = try self.config(
            #"{"OS":"linux","ROOTFS":{"Diff_IDs":null},"Config":{"cmd":"a","ENTRYPOINT":["b"],"labels":{"k":"1","K":"2"}}}"#
        )
        #expect(config.os == "linux" && config.diffIDs.isEmpty)
        #expect(config.config?.command == ["a"] && config.config?.entrypoint == ["b"])
        #expect(config.config?.labels == ["k": "1", "K": "2"])
        let failure = #expect(throws: Failure.self) {
            try self.config(#"{"rootfs":{},"config":{"Cmd":["a"],"cmd":["b"]}}"#)
        }
        #expect(failure?.message.contains(#"as "Cmd" and as "cmd""#) == true, "\(failure?.message ?? "")")
    }

    private func config(_ text: String) throws -> ImageConfig {
        try ImageConfig(json: Array(text.utf8), name: "it")
    }
}
