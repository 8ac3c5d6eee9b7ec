/// What happens during a build, for those who show it.
package enum BuildEvent: Sendable {
    /// Steps are numbered from 1 in the order in which they begin.
    case began(step: Int, title: String)
    /// Any number of bytes that a step's command wrote.
    case output(step: Int, [UInt8])
    /// The result is one of an earlier build.
    case cached(step: Int)
    case done(step: Int)
    case failed(step: Int, lastLines: [String])
    /// With its place in the Dockerfile.
    case warning(String)
}
