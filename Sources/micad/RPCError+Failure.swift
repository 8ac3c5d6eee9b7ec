import GRPCCore
import Linux
import SystemPackage

extension RPCError {
    /// What containerd makes its own errors of.
    init(_ failure: Failure) {
        let code: Code =
            switch failure.kind {
            case .notFound: .notFound
            case .alreadyExists: .alreadyExists
            case .invalidArgument: .invalidArgument
            case .failedPrecondition: .failedPrecondition
            case .noSpace: .resourceExhausted
            case .unimplemented: .unimplemented
            case .other: .unknown
            }
        let text = [failure.message, failure.advice].compactMap(\.self).joined(separator: ". ")
        self.init(code: code, message: Printable.text(text))
    }

    /// Runs `body` where it may wait; what it throws becomes a status.
    static func answering<R: Sendable>(
        _ kind: BlockingWork.Kind,
        _ body: @escaping @Sendable () throws -> R
    ) async throws -> R {
        do { return try await BlockingWork.run(kind, body) } catch let failure as Failure {
            throw RPCError(failure)
        } catch let errno as Errno {
            throw RPCError(Failure("the store", errno))
        } catch let error as RPCError {
            throw error
        } catch {
            throw RPCError(code: .internalError, message: Printable.text("\(error)"))
        }
    }
}
