import Glibc

/// How long a server or a credential helper may send nothing.
enum TimeLimit {
    /// Seconds with fewer than 1,000 bytes a second: $MICA_REGISTRY_TIMEOUT, or 60.
    static let silence = own ?? 60
    /// The same where something was sent: a registry may bring a large blob to its own storage before it answers.
    static let afterUpload = silence * 5
    /// Seconds until a credential helper has answered: it may ask the user for a password first.
    static let helper = own ?? 120

    private static var own: Int? {
        getenv("MICA_REGISTRY_TIMEOUT").flatMap { Int(String(cString: $0)) }.flatMap { $0 > 0 ? $0 : nil }
    }
}
