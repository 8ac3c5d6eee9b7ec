import FoundationEssentials
import Linux

extension StoreEvent {
    /// One line of JSON with docker's members, without a line end.
    ///
    /// Written by hand: a JSONEncoder would cost every `mica exec` more than all the rest of the record.
    package var json: String {
        let members = attributes.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
        let actor = "{\"ID\":\(quoted(id)),\"Attributes\":{\(members.joined(separator: ","))}}"
        return "{\"Type\":\(quoted(kind.rawValue)),\"Action\":\(quoted(action)),\"Actor\":\(actor),"
            + "\"scope\":\"local\",\"time\":\(time / 1_000_000_000),\"timeNano\":\(time)}"
    }

    /// nil for what is no event: a line that was cut by a full disk or a power cut, or that a later version wrote.
    package init?(json line: some Sequence<UInt8>) {
        guard let message = try? JSONDecoder().decode(Message.self, from: Data(line)),
            let kind = Kind(rawValue: message.Type), message.timeNano >= 0
        else { return nil }
        self.init(
            kind,
            message.Action,
            id: message.Actor.ID,
            attributes: message.Actor.Attributes,
            time: message.timeNano
        )
    }
}

/// docker's names of the members.
private struct Message: Decodable {
    struct Origin: Decodable {
        let ID: String
        let Attributes: [String: String]
    }

    let `Type`: String
    let Action: String
    let Actor: Origin
    let timeNano: Int64
}

/// A JSON string. What a terminal may obey is escaped.
private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar.value {
        case 0x22, 0x5c: result += "\\\(scalar)"
        case _ where Printable.isControl(scalar):
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
