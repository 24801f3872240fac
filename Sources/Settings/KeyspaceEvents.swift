/// The classes of key-space events that are published, as `notify-keyspace-events` names them.
///
/// - Source: https://redis.io/docs/latest/develop/use/keyspace-notifications/
public struct KeyspaceEvents: OptionSet, Sendable {
    /// One bit per class, in the order of Redis' normalised text.
    public let rawValue: UInt16

    /// The classes whose bits are set.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// `g`: commands for keys of every type: DEL, EXPIRE, ...
    public static let generic = KeyspaceEvents(rawValue: 1 << 0)
    /// `$`: string commands.
    public static let string = KeyspaceEvents(rawValue: 1 << 1)
    /// `l`: list commands.
    public static let list = KeyspaceEvents(rawValue: 1 << 2)
    /// `s`: set commands.
    public static let set = KeyspaceEvents(rawValue: 1 << 3)
    /// `h`: hash commands.
    public static let hash = KeyspaceEvents(rawValue: 1 << 4)
    /// `z`: sorted set commands.
    public static let sortedSet = KeyspaceEvents(rawValue: 1 << 5)
    /// `x`: a key whose time came.
    public static let expired = KeyspaceEvents(rawValue: 1 << 6)
    /// `e`: a key removed for want of memory.
    public static let evicted = KeyspaceEvents(rawValue: 1 << 7)
    /// `t`: stream commands.
    public static let stream = KeyspaceEvents(rawValue: 1 << 8)
    /// `d`: keys of a module's type.
    public static let module = KeyspaceEvents(rawValue: 1 << 9)
    /// `n`: a key that was not there before.
    public static let new = KeyspaceEvents(rawValue: 1 << 10)
    /// `K`: publish on `__keyspace@0__:<key>`.
    public static let keyspaceChannel = KeyspaceEvents(rawValue: 1 << 11)
    /// `E`: publish on `__keyevent@0__:<event>`.
    public static let keyeventChannel = KeyspaceEvents(rawValue: 1 << 12)
    /// `m`: a key that was asked for and is not there.
    public static let missed = KeyspaceEvents(rawValue: 1 << 13)
    /// `A`: every class but `n` and `m`.
    public static let all = KeyspaceEvents(rawValue: (1 << 10) - 1)

    private static let letters: [Character] = Array("g$lshzxetdnKEm")
}

extension KeyspaceEvents {
    /// The classes of these letters, or nil when one is none.
    public init?(letters text: String) {
        self = []
        for letter in text {
            if letter == "A" {
                formUnion(.all)
            } else if let bit = Self.letters.firstIndex(of: letter) {
                formUnion(KeyspaceEvents(rawValue: 1 << UInt16(bit)))
            } else {
                return nil
            }
        }
    }

    /// The letters in Redis' order, with `A` for the ten classes it stands for.
    ///
    /// Redis 7.0 forgets an `n` beside `A`; we do not, since a rewritten file would lose it.
    public var letters: String {
        let hasAll = isSuperset(of: .all)
        let rest = hasAll ? subtracting(.all) : self
        let singles = Self.letters.indices.filter { rest.rawValue & (1 << UInt16($0)) != 0 }
        return (hasAll ? "A" : "") + String(singles.map { Self.letters[$0] })
    }
}

extension SettingKind where Value == KeyspaceEvents {
    /// Letters of event classes; none publishes nothing.
    public static let keyspaceEvents = SettingKind(
        accepts: "letters of `KEg$lshzxetdnmA`, or empty",
        parse: { (word) throws(SettingError.Reason) in
            guard let events = KeyspaceEvents(letters: word) else {
                throw .value("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
            }
            return events
        },
        text: { $0.letters }, line: { SettingWords.quoted($0.letters) })
}
