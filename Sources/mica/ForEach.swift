import ArgumentParser
import Linux

/// Does the same to several things, prints the name of each that went well, and says what became of the
/// others: one that fails doesn't keep the rest waiting.
func forEach(_ names: [String], _ body: (String) throws -> Void) throws {
    var code: Int32 = 0
    for name in names {
        do {
            try body(name)
            print(name)
        } catch let failure as Failure {
            Mica.complain(failure)
            code = failure.exitCode
        }
    }
    if code != 0 { throw ExitCode(code) }
}
