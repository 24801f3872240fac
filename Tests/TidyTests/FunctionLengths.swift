/// The functions of a Swift file and their lengths, told by indentation.
///
/// The formatter puts the closing brace of a body under the first letter of its declaration; this
/// is all that is used.
struct FunctionLengths {
    struct Function: Equatable {
        let name: String
        /// Counted from 1.
        let line: Int
        let lineCount: Int
    }

    let functions: [Function]

    init(_ lines: [Substring]) {
        functions = lines.indices.compactMap { start in
            guard let name = Self.declaredName(lines[start]) else { return nil }
            guard let end = Self.end(of: start, in: lines) else { return nil }
            return Function(name: name, line: start + 1, lineCount: end - start + 1)
        }
    }

    /// What a line declares: `func name`, `init`, `deinit` or `subscript`; nil for other lines.
    private static func declaredName(_ line: Substring) -> String? {
        guard ["func", "init", "subscript"].contains(where: { line.contains($0) }) else {
            return nil
        }
        // Attributes and modifiers are words, with an argument in parentheses or without.
        let declaration =
            /^\s*(?:@?\w+(?:\([^)]*\))? +)*?(?:func +(?<name>[^ (<]+)|(?<kind>init|deinit|subscript)\b)/
        guard let match = try? declaration.firstMatch(in: line) else { return nil }
        let words = line.split(separator: " ")
        // `return init(...)` and the like call rather than declare.
        guard words.first != "return", words.first != "try", words.first != "let" else {
            return nil
        }
        return (match.name ?? match.kind).map(String.init)
    }

    /// The line of the closing brace; nil for a declaration without a body or on one line.
    private static func end(of start: Int, in lines: [Substring]) -> Int? {
        let indent = lines[start].prefix { $0 == " " }.count
        var hasBody = false
        for index in start..<lines.count {
            let line = lines[index]
            let content = line.drop { $0 == " " }
            let isLevel = !content.isEmpty && line.count - content.count == indent
            if index > start && isLevel && content.hasPrefix("}") && hasBody { return index }
            if line.hasSuffix("{") { hasBody = true }
            // The next declaration: this one had no body, or had it on its own line.
            let continues =
                content.hasPrefix(")") || content.hasPrefix("{")
                || content.hasPrefix("where")
            if index > start && isLevel && !continues { return nil }
        }
        return nil
    }
}
