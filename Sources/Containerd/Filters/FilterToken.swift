/// A piece of a filter's text.
enum FilterToken: Equatable {
    /// Letters, digits, `-` and `_`.
    case field(String)
    /// What follows an operator: up to a comma or white space.
    case value(String)
    /// As it stands in the text, quotes included.
    case quoted(String)
    /// `,` or `.`
    case separator(Unicode.Scalar)
    /// Any number of `=`, `!` and `~`.
    case `operator`(String)
    case end
}
