import Glibc
import Linux

/// Replaces Swift's print in this module: a program gets the text as it is, a terminal without control characters.
/// Much of it was named by an image, a container or another user.
func print(_ value: some CustomStringConvertible) {
    let text = value.description
    Swift.print(isatty(STDOUT_FILENO) == 1 ? Printable.text(text, lines: true) : text)
}
