package import Glibc

/// `struct stat`, under a name that neither stat(2) nor swift-system's `stat()` hides.
package typealias FileStatus = Glibc.stat
