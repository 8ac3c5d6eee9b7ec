/// What names that begin with `.wh.` mean in the OCI specification.
package enum Whiteout {
    package static let prefix = Array(".wh.".utf8)
    package static let opaqueName = prefix + prefix + Array(".opq".utf8)

    case no
    /// Hides this name of the layers below.
    case name(ArraySlice<UInt8>)
    /// Hides everything that the layers below have in the directory.
    case opaque
    /// aufs's own records, in names like `.wh..wh.plnk`: not part of the tree.
    case metadata

    init(_ component: ArraySlice<UInt8>) throws(LayerError) {
        guard component.starts(with: Whiteout.prefix) else {
            self = .no
            return
        }
        let name = component.dropFirst(Whiteout.prefix.count)
        if name.elementsEqual(".wh..opq".utf8) {
            self = .opaque
        } else if name.starts(with: Whiteout.prefix) {
            self = .metadata
        } else if name.isEmpty || name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) {
            throw LayerError("a whiteout that names nothing")
        } else {
            self = .name(name)
        }
    }
}
