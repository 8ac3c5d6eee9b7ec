import Linux

/// Rows under headings, with aligned columns.
struct Table {
    private var rows: [[String]]

    init(_ headings: String...) { rows = [headings] }

    init(line headings: [Substring]) { rows = [headings.map(String.init)] }

    mutating func add(line cells: [Substring]) { rows.append(cells.map { Table.printable(String($0)) }) }

    mutating func add(_ cells: String...) { rows.append(cells.map(Table.printable)) }

    var description: String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            row.enumerated().map { column, cell in
                // No trailing spaces.
                column == row.count - 1
                    ? cell : cell + String(repeating: " ", count: widths[column] - cell.count + 3)
            }.joined()
        }.joined(separator: "\n")
    }

    /// Names and commands come from images: they must neither move the terminal's cursor nor begin a row. The
    /// indentation of a command of several lines becomes spaces.
    private static func printable(_ cell: String) -> String {
        let blank = cell.unicodeScalars.map { $0 == "\n" || $0 == "\t" ? " " : $0 }
        return Printable.text(String(String.UnicodeScalarView(blank)))
    }
}
