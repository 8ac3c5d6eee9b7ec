import GRPCCore
import Linux
import Logging

/// A line for each request: what was asked, how long it took, how it ended.
struct RequestLog: ServerInterceptor {
    let log: Logger

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>,
        context: ServerContext,
        next:
            @Sendable (StreamingServerRequest<Input>, ServerContext) async throws -> StreamingServerResponse<
                Output
            >
    ) async throws -> StreamingServerResponse<Output> {
        let start = ContinuousClock.now
        let response: StreamingServerResponse<Output>
        do { response = try await next(request, context) } catch {
            note(context, since: start, error as? RPCError)
            throw error
        }
        switch response.accepted {
        case .success: note(context, since: start, nil)
        case .failure(let error): note(context, since: start, error)
        }
        return response
    }

    private func note(_ context: ServerContext, since start: ContinuousClock.Instant, _ error: RPCError?) {
        var metadata: Logger.Metadata = [
            "method": "\(context.descriptor.method)", "took": "\(ContinuousClock.now - start)",
        ]
        guard let error else { return log.debug("answered", metadata: metadata) }
        metadata["code"] = "\(error.code)"
        metadata["error"] = "\(Printable.text(error.message))"
        // What clients ask to find out.
        let isOrdinary = [.notFound, .alreadyExists, .unimplemented].contains(error.code)
        log.log(level: isOrdinary ? .debug : .warning, "refused", metadata: metadata)
    }
}
