import Glibc

/// Memory for a plan in C: strings and arrays that live as long as this object and never move.
package final class CStrings {
    private var allocations: [UnsafeMutableRawPointer] = []

    package init() {}

    /// A copy of `string`, zero-terminated.
    package func string(_ string: String) -> UnsafePointer<CChar> {
        let bytes = string.utf8CString
        return UnsafePointer(array(Array(bytes)))
    }

    /// Copies of strings, with a null pointer at the end.
    package func list(_ strings: [String]) -> UnsafePointer<UnsafePointer<CChar>?> {
        UnsafePointer(array(strings.map { Optional(string($0)) } + [nil]))
    }

    /// A copy of `elements`, which must be trivial.
    package func array<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
        let copy = UnsafeMutablePointer<Element>.allocate(capacity: max(elements.count, 1))
        copy.initialize(from: elements, count: elements.count)
        allocations.append(UnsafeMutableRawPointer(copy))
        return copy
    }

    deinit {
        for allocation in allocations { allocation.deallocate() }
    }
}
