/// A share of the capacity: what all clients have together, or one client's quota.
///
/// Each share has its own order of last use, so that one client's new objects never push out what
/// belongs to another share.
struct Account: BitwiseCopyable {
    /// Bytes that may be used; what is over that, after another share was cut out, goes by and by.
    var capacity = 0
    /// Bytes of its objects in memory.
    var usedByteCount = 0
    /// Bytes that are being written to the external store, and go afterwards.
    var leavingByteCount = 0
    /// Objects in memory that are counted here.
    var objectCount = 0
    /// The primary copies that nobody uses now; every object is one until it is said to be none.
    var primaries = UseOrder()
    /// The secondary copies that nobody uses now.
    var secondaries = UseOrder()
    /// Whether its client is connected.
    var isOpen = true

    /// The share of all clients that have no quota.
    static let shared = 0
    /// The objects in the fallback file, which the capacity does not count.
    static let fallback = 1
    /// Parts of a hundred of the capacity that quotas leave to all.
    ///
    /// - Source: `kGlobalLruReserveFraction` of Apache Arrow's `quota_aware_policy.h`.
    static let reservePercent = 30
}
