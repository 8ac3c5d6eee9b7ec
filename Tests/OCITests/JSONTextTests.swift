import OCI
import Testing

@Suite(.timeLimit(.minutes(40)))
struct `A JSON text of another program's` {
    private func setting(_ path: [String], to value: String, in text: String) -> String {
        var json = JSONText(Array(text.utf8))
        json.set(path, to: Array(value.utf8))
        return String(decoding: json.bytes, as: UTF8.self)
    }

    private func removing(_ path: [String], from text: String) -> String {
        var json = JSONText(Array(text.utf8))
        json.remove(path)
        return String(decoding: json.bytes, as: UTF8.self)
    }

    @Test func `keeps all bytes of other members`() {
        let odd = #"{ "n" : 123456789012345678901234567890.10e+0, "é\u00e9":[1 , {"a":"}\"]"}], "#
        #expect(
            setting(["auths", "a.b"], to: "{}", in: odd + #""auths": {"x": {"auth": "YTpi"}}  }"#)
                == odd + #""auths": {"x": {"auth": "YTpi"},"a.b": {}}  }"#
        )
        #expect(
            removing(["auths", "x"], from: odd + #""auths": {"x": {"auth": "YTpi"}}  }"#)
                == odd + #""auths": {}  }"#
        )
    }

    @Test func `gets a member where there is none`() {
        #expect(setting(["a", "b"], to: "1", in: "{}\n") == "{\n\t\"a\": {\n\t\t\"b\": 1\n\t}\n}\n")
        #expect(setting(["b"], to: "2", in: "{\n  \"a\": 1\n}\n") == "{\n  \"a\": 1,\n  \"b\": 2\n}\n")
        #expect(setting(["a", "b"], to: "1", in: "{\"a\": {\n}}") == "{\"a\": {\n\t\t\"b\": 1\n\t}}")
        // Of another kind than an object.
        for other in ["null", "5", "\"\"", "\"{\"", "[{\"b\": 3}]", "true"] {
            let text = "{\"a\": \(other),\"b\":4}"
            #expect(setting(["a", "b"], to: "1", in: text) == "{\"a\": {\n\t\t\"b\": 1\n\t},\"b\":4}")
            #expect(removing(["a", "b"], from: text) == text)
        }
    }

    @Test func `has a member replaced, by whatever letters its name is written`() {
        #expect(setting(["a/b"], to: "2", in: #"{"a\/b": "1", "c": 3}"#) == #"{"a\/b": 2, "c": 3}"#)
        #expect(setting(["ab"], to: "{}", in: #"{"\u0061b":[1,[2]]}"#) == #"{"\u0061b":{}}"#)
    }

    @Test func `loses a member with its comma`() {
        let text = #"{ "a": 1, "b": [","], "c": "3" }"#
        #expect(removing(["a"], from: text) == #"{ "b": [","], "c": "3" }"#)
        #expect(removing(["b"], from: text) == #"{ "a": 1, "c": "3" }"#)
        #expect(removing(["c"], from: text) == #"{ "a": 1, "b": [","] }"#)
        #expect(removing(["d"], from: text) == text)
        #expect(removing(["a"], from: #"{ "a": 1 }"#) == "{ }")
    }

    @Test func `that is none is not read beyond its end`() {
        for text in [
            "", "{", "{\"", "{\"a", "{\"a\\", "{\"a\"", "{\"a\":", "{\"a\":\"\\", "[", "5", "{\"a\":{",
        ] {
            _ = setting(["a", "b"], to: "1", in: text)
            _ = removing(["a", "b"], from: text)
        }
    }
}
