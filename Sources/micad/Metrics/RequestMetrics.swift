import CoreMetrics
import GRPCCore

/// Counts requests by how they ended, and measures how long they took (a list, until its first message).
struct RequestMetrics: ServerInterceptor {
    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>,
        context: ServerContext,
        next:
            @Sendable (StreamingServerRequest<Input>, ServerContext) async throws -> StreamingServerResponse<
                Output
            >
    ) async throws -> StreamingServerResponse<Output> {
        let start = ContinuousClock.now
        do {
            let response = try await next(request, context)
            var code = "ok"
            if case .failure(let error) = response.accepted { code = "\(error.code)" }
            note(context, since: start, code)
            return response
        } catch {
            note(context, since: start, (error as? RPCError).map { "\($0.code)" } ?? "unknown")
            throw error
        }
    }

    private func note(_ context: ServerContext, since start: ContinuousClock.Instant, _ code: String) {
        let method = ("method", context.descriptor.method)
        Counter(label: "micad_requests_total", dimensions: [method, ("code", code)]).increment()
        Timer(label: "micad_request_duration_seconds", dimensions: [method])
            .recordNanoseconds((ContinuousClock.now - start).nanoseconds)
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000
    }
}
