import ArgumentParser
import Glibc
import Linux

/// containerd's snapshots and diff services over a store of mica's.
@main
enum Micad {
    static func main() async {
        // A client that hangs up must not end the service.
        signal(SIGPIPE, SIG_IGN)
        // Inherited from a parent that ignores it: then a micafs could not be waited for.
        signal(SIGCHLD, SIG_DFL)
        let arguments = Array(CommandLine.arguments.dropFirst())
        if let helper = MountHelper(arguments) {
            do { try helper.run() } catch { end(with: error, status: MountHelper.failed) }
            return
        }
        do {
            var command = try ServeCommand.parse(arguments)
            try await command.run()
        } catch let failure as Failure {
            end(with: failure, status: failure.exitCode)
        } catch {
            // Its own errors are those of the command line; help is one, too.
            ServeCommand.exit(withError: error)
        }
    }

    private static func end(with error: any Error, status: CInt) -> Never {
        let text = (error as? Failure)?.description ?? "\(error)"
        let line = Array("micad: \(Printable.text(text, lines: true))\n".utf8)
        _ = write(2, line, line.count)
        exit(status)
    }
}
