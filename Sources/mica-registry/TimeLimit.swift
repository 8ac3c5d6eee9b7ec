import Glibc

/// How long others may say nothing.
enum TimeLimit {
    /// Seconds without bytes worth the name: $MICA_REGISTRY_TIMEOUT, or 60.
    static let silence = own ?? 60
    /// Seconds until a credential helper has answered: it may ask somebody for a password first.
    static let helper = own ?? 120

    private static var own: Int? {
        getenv("MICA_REGISTRY_TIMEOUT").flatMap { Int(String(cString: $0)) }.flatMap { $0 > 0 ? $0 : nil }
    }
}
