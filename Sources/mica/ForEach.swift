import ArgumentParser
import Linux

/// Runs `body` for every name and prints each name for which it succeeded; one failure is reported and does not stop
/// the rest.
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
