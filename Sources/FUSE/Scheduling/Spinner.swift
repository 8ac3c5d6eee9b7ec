/// Whether to spin for the next request before sleeping: as long as that finds one, and now and then to see whether
/// it would.
struct Spinner {
    private var misses = 0
    private var pause = 0

    var isWorthIt: Bool {
        mutating get {
            guard pause > 0 else { return true }
            pause -= 1
            return false
        }
    }

    mutating func note(found: Bool) {
        misses = found ? 0 : misses + 1
        // After more misses it spins less often: at least once in 64 requests.
        if misses > 2 { pause = min(1 << min(misses - 2, 6), 64) }
    }
}
