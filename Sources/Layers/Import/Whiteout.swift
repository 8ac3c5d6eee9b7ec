/// What the OCI specification means by names that begin `.wh.`.
enum Whiteout {
    case no
    /// Hides this name of the layers below.
    case name(ArraySlice<UInt8>)
    /// Hides everything the layers below have in the directory.
    case opaque
    /// aufs kept its own books in names like `.wh..wh.plnk`: not part of the tree.
    case metadata

    init(_ component: ArraySlice<UInt8>) throws(LayerError) {
        guard component.starts(with: ".wh.".utf8) else {
            self = .no
            return
        }
        let name = component.dropFirst(4)
        if name.elementsEqual(".wh..opq".utf8) {
            self = .opaque
        } else if name.starts(with: ".wh.".utf8) {
            self = .metadata
        } else if name.isEmpty || name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) {
            throw LayerError("a whiteout that names nothing")
        } else {
            self = .name(name)
        }
    }
}
