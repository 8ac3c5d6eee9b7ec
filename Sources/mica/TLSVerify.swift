import Linux

/// `--tls-verify=true|false`
enum TLSVerify {
    static func value(_ text: String) throws -> Bool {
        guard let value = Bool(text) else {
            throw Failure("--tls-verify=\(text): expected true or false", exitCode: 2)
        }
        return value
    }
}
