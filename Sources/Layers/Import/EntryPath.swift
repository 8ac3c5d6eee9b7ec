import Tar

/// Turns an entry's path into a place below the root of its layer.
enum EntryPath {
    /// The limit of Linux's system calls, within which any other tool could have unpacked the entry.
    static let limit = 4095
    static let componentLimit = 255
    static let slash = UInt8(ascii: "/")

    /// The components of a tar's path, without a leading `/` and every `.`; every `..` is left out together with the
    /// component before it, whatever that is. Empty for the root. As in a chroot, nothing is above the root of a
    /// path that begins with `/`; a relative path that goes there is refused.
    static func components(_ path: [UInt8]) throws(LayerError) -> [ArraySlice<UInt8>] {
        guard !path.isEmpty else { throw LayerError("its name is empty") }
        guard path.count <= limit else {
            throw LayerError("its name has \(path.count) bytes; Linux takes \(limit)")
        }
        guard !path.contains(0) else { throw LayerError("its name has a NUL in it") }
        var components: [ArraySlice<UInt8>] = []
        for component in path.split(separator: slash) {
            if component.elementsEqual(".".utf8) { continue }
            if component.elementsEqual("..".utf8) {
                guard components.popLast() != nil || path.first == slash else {
                    throw LayerError("its name leaves the layer by \"..\"")
                }
                continue
            }
            try check(component)
            components.append(component)
        }
        return components
    }

    static func check(_ component: ArraySlice<UInt8>) throws(LayerError) {
        guard component.count <= componentLimit else {
            throw LayerError(
                "a part of its name has \(component.count) bytes; Linux takes \(componentLimit)"
            )
        }
    }
}

/// Why an entry can't be part of a layer. The import adds which layer and which entry.
struct LayerError: Error {
    let reason: String
    let advice: String?
    init(_ reason: String, advice: String? = nil) { (self.reason, self.advice) = (reason, advice) }
}
