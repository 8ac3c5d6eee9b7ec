import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// What kubelet asks of containerd, over the container runtime interface. One pod at a time, on the host's network: that
/// needs no network plugins.
///
///     MicadClient CONTAINERD MICAD cri pull IMAGE            its reference
///     MicadClient CONTAINERD MICAD cri image IMAGE           its size; nothing where it is not there
///     MicadClient CONTAINERD MICAD cri disk -                where the images are, and how many bytes they take
///     MicadClient CONTAINERD MICAD cri run IMAGE COMMAND…    the ids of a pod and of a container in it that runs
///     MicadClient CONTAINERD MICAD cri exec CONTAINER COMMAND…    what it prints; fails as it does
///     MicadClient CONTAINERD MICAD cri stats CONTAINER       bytes of memory, and on disk in the writable layer
///     MicadClient CONTAINERD MICAD cri end POD               nothing: it and its containers are gone
///     MicadClient CONTAINERD MICAD cri remove IMAGE          nothing: it is gone
struct ContainerRuntime {
    private typealias Runtime = Runtime_V1_RuntimeService
    private typealias Images = Runtime_V1_ImageService
    typealias Transport = HTTP2ClientTransport.Posix

    private let runtime: Runtime.Client<Transport>
    private let images: Images.Client<Transport>

    /// `client`: of containerd's own socket.
    init(_ client: GRPCClient<Transport>) {
        runtime = Runtime.Client(wrapping: client)
        images = Images.Client(wrapping: client)
    }

    func run(_ verb: String, _ subject: String, _ rest: [String]) async throws -> String {
        switch (verb, rest.isEmpty) {
        case ("pull", true): return try await images.pullImage(.with { $0.image.image = subject }).imageRef
        case ("image", true):
            let answer = try await images.imageStatus(.with { $0.image.image = subject })
            return answer.hasImage ? "\(answer.image.size)" : ""
        case ("disk", true):
            return try await images.imageFsInfo(.init()).imageFilesystems.map {
                "\($0.fsID.mountpoint) \($0.usedBytes.value)"
            }
            .joined(separator: "\n")
        case ("run", false): return try await start(subject, rest)
        case ("exec", false):
            let answer = try await runtime.execSync(
                .with {
                    $0.containerID = subject
                    $0.cmd = rest
                }
            )
            guard answer.exitCode == 0 else {
                let text = String(decoding: answer.stderr, as: UTF8.self)
                throw RPCError(code: .unknown, message: "status \(answer.exitCode): \(text)")
            }
            return String(decoding: answer.stdout, as: UTF8.self)
        case ("stats", true):
            let stats = try await runtime.containerStats(.with { $0.containerID = subject }).stats
            return "\(stats.memory.workingSetBytes.value) \(stats.writableLayer.usedBytes.value)"
        case ("end", true):
            _ = try await runtime.stopPodSandbox(.with { $0.podSandboxID = subject })
            _ = try await runtime.removePodSandbox(.with { $0.podSandboxID = subject })
            return ""
        case ("remove", true):
            _ = try await images.removeImage(.with { $0.image.image = subject })
            return ""
        default: throw RPCError(code: .invalidArgument, message: "cri \(verb) with \(rest.count) words more")
        }
    }

    private func start(_ image: String, _ command: [String]) async throws -> String {
        let name = "pod-\(UInt32.random(in: 0 ... .max))"
        let host = Runtime_V1_NamespaceOption.with { $0.network = .node }
        let pod = Runtime_V1_PodSandboxConfig.with {
            $0.metadata.name = name
            $0.metadata.uid = name
            $0.metadata.namespace = "test"
            $0.linux.securityContext.namespaceOptions = host
            // Else the host's own is copied, which a machine for tests may lack.
            $0.dnsConfig.servers = ["127.0.0.1"]
        }
        let sandbox = try await runtime.runPodSandbox(.with { $0.config = pod }).podSandboxID
        let container = try await runtime.createContainer(
            .with {
                $0.podSandboxID = sandbox
                $0.sandboxConfig = pod
                $0.config.metadata.name = "container"
                $0.config.image.image = image
                $0.config.command = command
                $0.config.linux.securityContext.namespaceOptions = host
            }
        )
        .containerID
        _ = try await runtime.startContainer(.with { $0.containerID = container })
        return "\(sandbox) \(container)"
    }
}
