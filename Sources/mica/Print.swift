import Glibc
import Linux

/// Takes the place of Swift's in this module: programs get the text as it is, a terminal gets it without what it might
/// obey. Of what is printed here much was named by an image, a container or somebody else.
func print(_ value: some CustomStringConvertible) {
    let text = value.description
    Swift.print(isatty(STDOUT_FILENO) == 1 ? Printable.text(text, lines: true) : text)
}
