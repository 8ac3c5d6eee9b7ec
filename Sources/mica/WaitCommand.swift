import ArgumentParser
import Containers
import Linux
import Snapshots

import Glibc

struct WaitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        _superCommandName: Mica.name,
        abstract: "Wait until containers have ended, and print their exit statuses.",
        discussion: "Of those that don't run at once; 0 for one that was never started."
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "Names or IDs.", completion: .containers)
    var containers: [String]

    func run() throws {
        let all = Containers(try Store.open(global.layout))
        var code: Int32 = 0
        for name in containers {
            do {
                guard let status = try all.wait(for: try all.container(named: name)) else {
                    throw Failure("how container \(name) ended is not known: what ran it was killed")
                }
                print(status)
                fflush(nil)
            } catch let failure as Failure {
                Mica.complain(failure)
                code = failure.exitCode
            }
        }
        if code != 0 { throw ExitCode(code) }
    }
}
