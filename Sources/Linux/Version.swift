/// The version of all programs that are built from here.
package enum Version {
    package static let current = "0.1.0"
}
