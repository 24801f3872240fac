public import EventLoop
public import Identifiers
public import PlasmaProtocol

/// An object store on the event loop: its notifications, and requests one at a time; reconnecting
/// by itself.
///
/// Works with every store that speaks Arrow's protocol, and is careful with Arrow's own, which a
/// malformed or half message, an unread reply or an undrained subscriber can stop or end: it asks
/// only Connect, Subscribe, List and Delete (nothing that pins an object), writes a request when
/// the one before is answered, and reads at once whatever comes.
public final class StoreConnection {
    /// Called when the store has answered and was given the subscription.
    public var onUp: () -> Void = {}
    /// Called with the reason when the store was lost or an attempt failed.
    public var onDown: (_ reason: StoreConnectionError) -> Void = { _ in }
    /// Called with rows of notifications, in order; at first one per sealed object.
    public var onChanges: ([ObjectInfo]) -> Void = { _ in }

    private let loop: Loop
    private let path: String
    private var isStarted = false
    private var backOff = BackOff()
    private var retryTimer: Timer?
    private var requests: RequestChannel?
    private var needs: RequestChannel?
    private var notifications: NotificationChannel?

    /// A connection to the store at `path` that does nothing until `start()`.
    public init(_ loop: Loop, path: String) {
        self.loop = loop
        self.path = path
        retryTimer = Timer(loop) { [weak self] in self?.connect() }
    }

    /// Bytes of objects that fit in the store, as it said last.
    public private(set) var capacity: Int64 = 0

    /// The version of our extension that the store speaks; `nil` with Arrow's store.
    public private(set) var extensionVersion: Int64?

    /// Whether requests may be sent.
    public var isUp: Bool { notifications != nil }

    /// Connects, and again after every loss (50 ms to 2 s later), until `stop()`.
    public func start() {
        guard !isStarted else { return }
        isStarted = true
        connect()
    }

    /// Closes all connections; requests under way are never answered.
    public func stop() {
        isStarted = false
        retryTimer?.cancel()
        close()
    }

    /// Asks for all objects; never answered when the store is lost before.
    public func list(_ completion: @escaping ([ObjectInfo]) -> Void) {
        requests?.ask(.list(completion))
    }

    /// Removes objects.
    ///
    /// - Parameter completion: one outcome each, `nil` for removed; never called when the store is
    ///   lost before.
    public func delete(_ ids: [RecordID], _ completion: @escaping ([StoreError?]) -> Void) {
        requests?.ask(.delete(ids, completion))
    }

    /// Takes in the notifications of all that happened in the store up to now.
    ///
    /// A store tells its subscribers before it answers the next request. (One whose subscriber's
    /// buffer is full tells the rest later.)
    ///
    /// - Parameter completion: called after `onChanges`; never when the store is lost before.
    public func drain(_ completion: @escaping () -> Void) {
        requests?.ask(
            .mark { [weak self] in
                self?.notifications?.drain()
                if self?.notifications != nil { completion() }
            })
    }

    /// Sends a message of our extension; only while `extensionVersion` is not `nil`.
    ///
    /// - Parameters:
    ///   - write: appends the frame.
    ///   - reply: the type of the answer.
    ///   - read: is given the answer's body; never called when the store is lost before.
    public func ask(
        _ write: @escaping (inout ByteBuffer) -> Void, reply: MessageType,
        _ read: @escaping (UnsafeRawBufferPointer) throws(WireError) -> Void
    ) {
        precondition(extensionVersion != nil, "an extension message to a store without it")
        requests?.ask(.extended(write, reply: reply, read))
    }

    /// Asks what the store needs of its node manager; only while `extensionVersion` is not `nil`.
    ///
    /// - Parameter completion: called once the store needs something, or the request's time is up;
    ///   never when the store is lost before.
    public func askNeeds(
        _ request: NeedsRequest, _ completion: @escaping (NeedsReply) -> Void
    ) {
        precondition(extensionVersion != nil, "an extension message to a store without it")
        needs?.ask(
            .extended({ request.write(to: &$0) }, reply: .needsReply) { body throws(WireError) in
                completion(try NeedsReply(body))
            })
    }

    private func connect() {
        do throws(StoreConnectionError) {
            let channel = RequestChannel(loop, adopting: try UnixSocket.connect(path)) {
                [weak self] in self?.ended($0)
            }
            requests = channel
            // That something listens does not make it a store; its answer does.
            channel.ask(
                .connect { [weak self] capacity in
                    self?.capacity = capacity
                    self?.identify()
                })
        } catch {
            ended(error)
        }
    }

    /// Finds out whether the store knows our extension; Arrow's would end itself if it were asked.
    private func identify() {
        requests?.ask(
            .describe { [weak self] text in
                guard let self else { return }
                guard StoreExtension.version(in: text) != nil else { return subscribe() }
                requests?.ask(
                    .extended(
                        {
                            ExtensionMessage.write(
                                .extensionRequest, numbers: [StoreExtension.version], to: &$0)
                        },
                        reply: .extensionReply
                    ) { [weak self] body throws(WireError) in
                        let version = try ExtensionMessage(body).number(0)
                        self?.openNeeds(version)
                    })
            })
    }

    /// The answer to what the store needs may take its time: it has a connection of its own.
    private func openNeeds(_ version: Int64) {
        do throws(StoreConnectionError) {
            let channel = RequestChannel(loop, adopting: try UnixSocket.connect(path)) {
                [weak self] in self?.ended($0)
            }
            needs = channel
            channel.ask(
                .extended(
                    {
                        ExtensionMessage.write(
                            .extensionRequest, numbers: [StoreExtension.version], to: &$0)
                    }, reply: .extensionReply
                ) { [weak self] _ throws(WireError) in
                    self?.extensionVersion = version
                    self?.subscribe()
                })
        } catch {
            ended(error)
        }
    }

    private func subscribe() {
        do throws(StoreConnectionError) {
            notifications = try NotificationChannel(
                loop, path: path, onChanges: { [weak self] in self?.onChanges($0) },
                onEnd: { [weak self] in self?.ended($0) })
            backOff.reset()
            onUp()
        } catch {
            ended(error)
        }
    }

    private func ended(_ reason: StoreConnectionError) {
        guard isStarted else { return }
        close()
        retryTimer?.schedule(after: backOff.next())
        onDown(reason)
    }

    private func close() {
        extensionVersion = nil
        needs = nil
        requests = nil
        notifications = nil
    }
}
