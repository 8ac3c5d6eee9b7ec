import Containers

extension RunRequest {
    mutating func apply(_ process: ProcessRequest) {
        environment = process.environment
        directory = process.workdir
        user = process.user
        terminal = process.tty
        interactive = process.interactive
    }
}
