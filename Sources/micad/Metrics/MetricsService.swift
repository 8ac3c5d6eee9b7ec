import Containerd
import CoreMetrics
import Linux
import SystemPackage

/// Metrics in Prometheus's text format, where the command line says so.
struct MetricsService {
    private let address: MetricsAddress

    /// Answers from now on. Once in a process: swift-metrics has one recorder.
    init(_ address: MetricsAddress, of service: ContainerdSnapshots) throws {
        self.address = address
        let recorder = MetricsRecorder()
        MetricsSystem.bootstrap(recorder)
        let store = StoreMetrics(service: service)
        try TextServer.start(on: address.listening(), type: "text/plain; version=0.0.4; charset=utf-8") {
            guard (try? store.update()) != nil else { return nil }
            return recorder.text(help: StoreMetrics.help)
        }
    }

    /// Takes the socket's name away.
    func close() {
        guard case .socket(let path) = address else { return }
        try? path.unlink()
    }
}
