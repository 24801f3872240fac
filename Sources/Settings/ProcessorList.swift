/// Processors by number, as `server-cpulist` names them: `0,2-3`, or `0-7:2` for every second one.
///
/// - Source: https://github.com/redis/redis/blob/7.0/redis.conf
public struct ProcessorList: Equatable, Sendable {
    /// As it was written.
    public let text: String
    /// In the order of the text; none means that nothing is said.
    public let processors: [Int]

    /// One more than the highest number.
    private static let capacity = 1024

    /// A list that says nothing.
    public init() { (text, processors) = ("", []) }

    init?(_ text: String) {
        var processors: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let range = part.split(separator: ":", omittingEmptySubsequences: false)
            let ends = range[0].split(separator: "-", omittingEmptySubsequences: false).map(
                Self.number)
            guard range.count <= 2, ends.count <= 2, let first = ends[0],
                let last = ends[ends.count - 1],
                first <= last, let step = range.count == 2 ? Self.number(range[1]) : 1, step > 0
            else { return nil }
            processors += stride(from: first, through: last, by: step)
        }
        (self.text, self.processors) = (text, processors)
    }

    private static func number(_ digits: Substring) -> Int? {
        guard let value = Int(digits), value < capacity, String(value) == digits else { return nil }
        return value
    }
}

extension SettingKind where Value == ProcessorList {
    /// Numbers and ranges of processors; empty says nothing.
    public static let processors = SettingKind(
        accepts: "numbers and ranges, such as `0,2-3` or `0-7:2`",
        parse: { (word) throws(SettingError.Reason) in
            if word.isEmpty { return ProcessorList() }
            guard let list = ProcessorList(word) else {
                throw .value("argument must be a list of processors such as 0,2-3 or 0-7:2")
            }
            return list
        },
        text: { $0.text }, line: { SettingWords.quoted($0.text) })
}
