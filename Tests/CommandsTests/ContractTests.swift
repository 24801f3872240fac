import Foundation
import Testing

/// The sentences of Documentation/batch-semantics.md, each with a transcript named after it.
@Suite struct ContractTests {
    /// A rule of the contract.
    struct Sentence: Hashable {
        /// The heading above it, as the name of a folder.
        let group: String
        let text: String

        /// Lower-case words, joined: what file names are cut from.
        var slug: String { Self.slug(text) }

        static func slug(_ text: String) -> String {
            text.lowercased().split { !$0.isASCII || !($0.isLetter || $0.isNumber) }
                .joined(separator: "-")
        }
    }

    private static let page = TranscriptTests.folder
        .appending(path: "../../../Documentation/batch-semantics.md")

    /// Numbered items, by the heading above them; lines that are indented go on with the item.
    private static func sentences(in text: String) -> [Sentence] {
        var group = ""
        var found: [Sentence] = []
        var isItem = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if let heading = line.wholeMatch(of: /## (.+)/) {
                group = Sentence.slug(String(heading.1))
            } else if let item = line.wholeMatch(of: /[0-9]+\. (.+)/) {
                found.append(Sentence(group: group, text: String(item.1)))
                isItem = true
                continue
            } else if isItem, line.hasPrefix("   "), let last = found.popLast() {
                let more = line.trimmingCharacters(in: .whitespaces)
                found.append(Sentence(group: last.group, text: "\(last.text) \(more)"))
                continue
            }
            isItem = false
        }
        return found
    }

    /// What the comment at the head of a transcript says.
    private static func headComment(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .prefix { $0.hasPrefix("#") }
            .map { $0.dropFirst().trimmingCharacters(in: .whitespaces) }
            .joined(separator: " ")
    }

    @Test("every sentence of the contract has its transcript, and every transcript its sentence")
    func everySentence() throws {
        let sentences = Self.sentences(in: try String(contentsOf: Self.page, encoding: .utf8))
        #expect(sentences.count > 40)
        #expect(Set(sentences).count == sentences.count, "two sentences are the same")
        var missing = Set(sentences)
        for name in TranscriptTests.names where name.contains("/") {
            let text = try String(
                contentsOf: TranscriptTests.folder.appending(path: name), encoding: .utf8)
            let parts = name.split(separator: "/").map(String.init)
            let sentence = Sentence(group: parts[0], text: Self.headComment(text))
            #expect(missing.remove(sentence) != nil, "\(name) begins with no sentence of its own")
            let stem = parts[1].dropLast(".resp".count)
            #expect(
                "\(sentence.slug)-".hasPrefix("\(stem)-"),
                "\(name) is not named after its sentence")
        }
        #expect(missing.map(\.text) == [], "sentences without a transcript")
    }

    @Test("sees sentences and comments")
    func measure() {
        let page = "# A\n1. No\n\n## B c\n\n1. One `x`\n   goes on.\n2. Two.\n\ntext\n"
        let found = Self.sentences(in: page).map { "\($0.group): \($0.text)" }
        #expect(found == [": No", "b-c: One `x` goes on.", "b-c: Two."])
        #expect(Self.headComment("# One\n# two.\nx> PING\n# three") == "One two.")
        #expect(Sentence.slug("GET's `batch` is 2^63-1.") == "get-s-batch-is-2-63-1")
    }
}
