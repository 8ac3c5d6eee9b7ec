import Linux
import Runner
import SystemPackage

extension ExitStatus {
    /// Runs what ends with a command's status: mica's own failures end with 125 unless they are 126 or 127, because
    /// everything lower would be taken for the command's.
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
