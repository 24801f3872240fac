internal import ControlStore
internal import Identifiers
internal import RESP
internal import Settings

extension Command {
    static let expire = expiry(
        "EXPIRE", "seconds", .integer("seconds"), unit: 1000, isAbsolute: false)
    static let pexpire = expiry(
        "PEXPIRE", "milliseconds", .integer("milliseconds"), unit: 1, isAbsolute: false)
    static let expireat = expiry(
        "EXPIREAT", "seconds", Argument(name: "unix-time-seconds", kind: .unixTime), unit: 1000,
        isAbsolute: true)
    static let pexpireat = expiry(
        "PEXPIREAT", "milliseconds", Argument(name: "unix-time-milliseconds", kind: .unixTime),
        unit: 1,
        isAbsolute: true)

    private static func expiry(
        _ name: String, _ unitName: String, _ argument: Argument, unit: Int64, isAbsolute: Bool
    ) -> Command {
        let when = isAbsolute ? "at a time, in \(unitName) since 1970" : "after so many \(unitName)"
        return Command(
            name, "Makes a batch time out \(when).", group: .keys, flags: [.write, .fast],
            arguments: [
                .key(), argument, .words("condition", ["NX", "XX", "GT", "LT"]).optional,
            ],
            reply: "integer: 1 when set, else 0", keys: .one
        ) { (call) throws(CommandError) in
            let key = Key(try call.word())
            let value = try call.integer()
            let (scaled, isTooLarge) = value.multipliedReportingOverflow(by: unit)
            let (deadline, isTooLate) = scaled.addingReportingOverflow(
                isAbsolute ? 0 : call.state.pointee.now)
            guard !isTooLarge, !isTooLate else {
                throw .text("ERR invalid expire time in '\(name.lowercased())' command")
            }
            let conditions = try call.conditions()
            guard let id = try call.expiringBatch(key) else { return call.reply.integer(0) }
            call.reply.integer(call.setDeadline(id, deadline, conditions) ? 1 : 0)
        }
    }

    static let ttl = remaining("TTL", unit: 1000)
    static let pttl = remaining("PTTL", unit: 1)

    private static func remaining(_ name: String, unit: Int64) -> Command {
        let unitName = unit == 1 ? "milliseconds" : "seconds"
        return Command(
            name, "Tells the \(unitName) until a batch times out.", group: .keys,
            flags: [.readOnly, .fast], arguments: [.key()],
            reply: "integer: \(unitName); -1 without a time-out, -2 when there is no such key",
            keys: .one
        ) { (call) throws(CommandError) in
            let key = Key(try call.word())
            guard call.state.pointee.exists(key) else { return call.reply.integer(-2) }
            guard case .batch(let id) = key, let deadline = call.store.deadline(id), deadline > 0
            else {
                return call.reply.integer(-1)
            }
            let left = max(deadline - call.state.pointee.now, 0)
            call.reply.integer((left + unit / 2) / unit)
        }
    }

    static let persist = Command(
        "PERSIST", "Lifts a batch's time-out.", group: .keys, flags: [.write, .fast],
        arguments: [.key()], reply: "integer: 1 when there was one, else 0", keys: .one
    ) { (call) throws(CommandError) in
        guard case .batch(let id) = Key(try call.word()) else { return call.reply.integer(0) }
        let isLifted = call.store.setDeadline(id, nil)
        if isLifted { call.state.pointee.notify(.generic, "persist", key: Array("GC:\(id)".utf8)) }
        call.reply.integer(isLifted ? 1 : 0)
    }
}

/// What must hold of a time-out for EXPIRE to change it.
private struct ExpiryConditions {
    var needsNone = false
    var needsOne = false
    var needsLater = false
    var needsSooner = false
}

extension Call {
    fileprivate mutating func conditions() throws(CommandError) -> ExpiryConditions {
        var conditions = ExpiryConditions()
        while words.left > 0 {
            if option("NX") {
                conditions.needsNone = true
            } else if option("XX") {
                conditions.needsOne = true
            } else if option("GT") {
                conditions.needsLater = true
            } else if option("LT") {
                conditions.needsSooner = true
            } else {
                throw .text("ERR Unsupported option \(try word().text)")
            }
        }
        if conditions.needsNone,
            conditions.needsOne || conditions.needsLater || conditions.needsSooner
        {
            throw .text("ERR NX and XX, GT or LT options at the same time are not compatible")
        }
        if conditions.needsLater, conditions.needsSooner {
            throw .text("ERR GT and LT options at the same time are not compatible")
        }
        return conditions
    }

    /// The batch that may time out; `nil` when there is no such key.
    fileprivate func expiringBatch(_ key: Key) throws(CommandError) -> BatchID? {
        if case .batch(let id) = key {
            if id == .root { throw .store(.rootBatch) }
            return id
        }
        guard state.pointee.exists(key) else { return nil }
        throw .text("ERR only GC:<batch> keys expire: a record is released with its batch")
    }

    fileprivate func setDeadline(
        _ id: BatchID, _ deadline: Int64, _ conditions: ExpiryConditions
    ) -> Bool {
        guard let present = store.deadline(id) else { return false }
        if conditions.needsNone, present > 0 { return false }
        if conditions.needsOne, present == 0 { return false }
        // No time-out is later than every time-out, as in Redis.
        if conditions.needsLater, present == 0 || deadline <= present { return false }
        if conditions.needsSooner, present > 0, deadline >= present { return false }
        guard store.setDeadline(id, deadline) else { return false }
        state.pointee.notify(.generic, "expire", key: Array("GC:\(id)".utf8))
        store.expireDueBatches()
        return true
    }
}
