import Linux
import Runner
import SystemPackage

extension ExitStatus {
    /// Runs what ends with a command's status: a failure of ours ends with 125, because everything below would be
    /// taken for the command's, unless it is 126 or 127 already.
    static func ofCommand(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch var failure as Failure {
            if ![126, 127].contains(failure.exitCode) { failure.exitCode = failed.rawValue }
            throw failure
        } catch let errno as Errno {
            throw Failure("\(errno)", exitCode: failed.rawValue)
        }
    }
}
