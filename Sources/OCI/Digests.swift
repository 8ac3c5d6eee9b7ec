// Readers of images read digests. Digests are a separate module for modules that must not link Foundation, which
// JSON here needs: Layers, and with it micafs.
@_exported public import Digests
