/// How a layer's tar says that names of the layers below are gone.
enum Whiteout {
    static let prefix = Array(".wh.".utf8)
    static let opaque = Array(".wh..wh..opq".utf8)
}
