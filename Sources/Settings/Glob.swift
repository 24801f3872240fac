/// A pattern as Redis matches names with: `*`, `?`, `[a-z]`, `[^a-z]`, and `\` before a plain byte.
///
/// - Source: https://redis.io/docs/latest/commands/keys/
public struct Glob: Sendable {
    private enum Step: Sendable {
        case byte(UInt8)
        case any
        case oneOf([ClosedRange<UInt8>], negated: Bool)
        case star
    }

    private let steps: [Step]
    private let ignoresCase: Bool

    /// Reads the pattern; every sequence of bytes is one.
    public init(_ pattern: some Sequence<UInt8>, ignoringCase: Bool = false) {
        ignoresCase = ignoringCase
        steps = Self.read(Array(pattern))
    }

    /// Whether the whole of `bytes` matches.
    ///
    /// - Complexity: O(n * m): a star that fails is tried again one byte later, and only the
    ///   last star is, so no pattern is exponential.
    public func matches<Bytes: Collection<UInt8>>(_ bytes: Bytes) -> Bool {
        var step = 0
        var index = bytes.startIndex
        // The step after the last star, and the first byte that the star does not cover yet.
        var retry: (step: Int, index: Bytes.Index)?
        while true {
            if step < steps.count, case .star = steps[step] {
                step += 1
                retry = (step, index)
            } else if step < steps.count, index < bytes.endIndex,
                accepts(steps[step], bytes[index])
            {
                step += 1
                bytes.formIndex(after: &index)
            } else if step == steps.count && index == bytes.endIndex {
                return true
            } else if let (afterStar, uncovered) = retry, uncovered < bytes.endIndex {
                step = afterStar
                index = bytes.index(after: uncovered)
                retry = (afterStar, index)
            } else {
                return false
            }
        }
    }

    private func accepts(_ step: Step, _ byte: UInt8) -> Bool {
        switch step {
        case .byte(let wanted): return fold(wanted) == fold(byte)
        case .any: return true
        case .oneOf(let ranges, let negated):
            let found = ranges.contains {
                $0.contains(byte)
                    || (ignoresCase && ($0.contains(fold(byte)) || $0.contains(upper(byte))))
            }
            return found != negated
        case .star: return false
        }
    }

    private func fold(_ byte: UInt8) -> UInt8 {
        ignoresCase && (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }

    private func upper(_ byte: UInt8) -> UInt8 {
        (0x61...0x7A).contains(byte) ? byte & ~0x20 : byte
    }

    private static func read(_ pattern: [UInt8]) -> [Step] {
        var steps: [Step] = []
        var index = 0
        while index < pattern.count {
            let byte = pattern[index]
            index += 1
            switch byte {
            case UInt8(ascii: "*"):
                if case .star? = steps.last { continue }
                steps.append(.star)
            case UInt8(ascii: "?"): steps.append(.any)
            case UInt8(ascii: "["): steps.append(readClass(pattern, &index))
            case UInt8(ascii: "\\") where index < pattern.count:
                steps.append(.byte(pattern[index]))
                index += 1
            default: steps.append(.byte(byte))
            }
        }
        return steps
    }

    /// Reads after `[`; a class that is never closed ends with the pattern, as in Redis.
    private static func readClass(_ pattern: [UInt8], _ index: inout Int) -> Step {
        var ranges: [ClosedRange<UInt8>] = []
        let negated = index < pattern.count && pattern[index] == UInt8(ascii: "^")
        if negated { index += 1 }
        while index < pattern.count, pattern[index] != UInt8(ascii: "]") {
            if pattern[index] == UInt8(ascii: "\\") && index + 1 < pattern.count { index += 1 }
            let low = pattern[index]
            index += 1
            if index + 1 < pattern.count, pattern[index] == UInt8(ascii: "-") {
                let high = pattern[index + 1]
                index += 2
                ranges.append(min(low, high)...max(low, high))
            } else {
                ranges.append(low...low)
            }
        }
        index += 1
        return .oneOf(ranges, negated: negated)
    }
}
