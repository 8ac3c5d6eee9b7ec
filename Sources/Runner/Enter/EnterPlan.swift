import CLinux

/// A plan for mica-enter that is being written: its head, and the data that the head refers to by offsets.
struct EnterPlan {
    var head = enter_plan()
    private var bytes = [UInt8](repeating: 0, count: MemoryLayout<enter_plan>.size)

    /// The offset of a copy of `text`.
    mutating func string(_ text: String) -> UInt32 {
        let offset = UInt32(truncatingIfNeeded: bytes.count)
        bytes += text.utf8
        bytes.append(0)
        return offset
    }

    mutating func strings(_ texts: [String]) -> enter_span {
        let offsets = texts.map { string($0) }
        return array(offsets)
    }

    /// A copy of `elements`, which must be trivial.
    mutating func array<Element: BitwiseCopyable>(_ elements: [Element]) -> enter_span {
        elements.withUnsafeBytes { span(of: $0, count: elements.count) }
    }

    /// `elements` of `size` bytes each.
    mutating func array(_ elements: [UInt8], size: Int) -> enter_span {
        elements.withUnsafeBytes { span(of: $0, count: elements.count / size) }
    }

    private mutating func span(of elements: UnsafeRawBufferPointer, count: Int) -> enter_span {
        bytes += [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
        let span = enter_span(
            offset: UInt32(truncatingIfNeeded: bytes.count),
            count: UInt32(truncatingIfNeeded: count)
        )
        bytes += elements
        return span
    }

    /// The complete plan. nil when it is larger than mica-enter accepts.
    func finished() -> [UInt8]? {
        var whole = bytes
        whole.append(0)
        guard whole.count <= Int(ENTER_LARGEST_PLAN) else { return nil }
        var head = head
        head.size = UInt32(whole.count)
        withUnsafeBytes(of: head) { whole.replaceSubrange(..<$0.count, with: $0) }
        return whole
    }
}
