// Who reads images reads digests. They are a module of their own for those who must not link Foundation,
// which the JSON here needs: Layers, and with it micafs.
@_exported public import Digests
