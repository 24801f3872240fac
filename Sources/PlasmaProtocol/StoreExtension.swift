/// What our store can do beyond Arrow's protocol, and how a client finds out.
///
/// Arrow's store ends itself at a message that it does not know, so a client asks for the debug
/// string first, which every store answers: ours begins with `identity`. Only then it sends
/// `extensionRequest`, and after its reply the other messages from 1000 on.
public enum StoreExtension {
    /// The version spoken here; a newer one adds numbers to messages, and messages.
    public static let version: Int64 = 1

    /// The first line of our store's debug string.
    public static let identity = "swift-gcs plasma-store, extension \(version)"

    /// The version that a store's debug string names; `nil` when the store is not ours.
    public static func version(in debugString: String) -> Int64? {
        let line = debugString.prefix { $0 != "\n" }
        let prefix = "swift-gcs plasma-store, extension "
        guard line.hasPrefix(prefix), let version = Int64(line.dropFirst(prefix.count)),
            version > 0
        else { return nil }
        return version
    }
}
