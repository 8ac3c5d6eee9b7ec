import ContainerFixtures
import Linux
import Runner
import Synchronization
import SystemPackage

/// Runs one program to its end.
struct Outcome {
    var status: Int32
    var output: String
    var error: String
}

final class Collected: Sendable {
    private let bytes = Mutex<(output: [UInt8], error: [UInt8])>(([], []))

    func add(_ stream: StdioProxy.Stream, _ more: UnsafeRawBufferPointer) {
        bytes.withLock {
            switch stream {
            case .output: $0.output.append(contentsOf: more)
            case .error: $0.error.append(contentsOf: more)
            }
        }
    }

    var output: String { bytes.withLock { String(decoding: $0.output, as: UTF8.self) } }
    var error: String { bytes.withLock { String(decoding: $0.error, as: UTF8.self) } }
}

extension TestRoot {
    func spec(_ arguments: [String], _ change: (inout ContainerSpec) -> Void = { _ in }) -> ContainerSpec {
        var spec = ContainerSpec(
            id: String(repeating: "a", count: 64),
            process: ProcessSpec(arguments: arguments),
            hostname: "box"
        )
        change(&spec)
        return spec
    }

    /// Prepares and starts. A test's thread may end before the container does.
    func start(
        _ spec: ContainerSpec,
        files: [Volume] = [],
        _ streams: ProcessStreams,
        group: ControlGroup? = nil,
        filter: SeccompFilter? = TestRoot.filter
    ) throws -> ContainerProcess {
        try Sandbox.start(
            spec,
            in: try Sandbox.prepare(spec, streams: streams, group: group, diesWithCaller: false),
            root: path,
            files: files,
            streams: streams,
            filter: filter
        )
    }

    static let filter = try? SeccompFilter(.standard)

    func run(
        _ arguments: [String],
        files: [Volume] = [],
        group: ControlGroup? = nil,
        filter: SeccompFilter? = TestRoot.filter,
        _ change: (inout ContainerSpec) -> Void = { _ in }
    ) throws -> Outcome {
        let spec = spec(arguments, change)
        let streams = try ProcessStreams(interactive: false)
        let proxy = try StdioProxy()
        let process = try start(spec, files: files, streams, group: group, filter: filter)
        let collected = Collected()
        let status = try proxy.run(process, streams) { collected.add($0, $1) }
        return Outcome(status: status.rawValue, output: collected.output, error: collected.error)
    }

    func shell(
        _ script: String,
        files: [Volume] = [],
        group: ControlGroup? = nil,
        filter: SeccompFilter? = TestRoot.filter,
        _ change: (inout ContainerSpec) -> Void = { _ in }
    ) throws -> Outcome {
        try run(["/bin/sh", "-c", script], files: files, group: group, filter: filter, change)
    }
}
