internal import CSystem

/// A socket that a client passed for its notifications; closed with its last reference.
public final class PassedSocket {
    /// For system calls; -1 once the socket was given up.
    public private(set) var descriptor: Int32
    /// For whoever waits for its events.
    public var context: AnyObject?

    init(adopting descriptor: Int32) {
        self.descriptor = descriptor
        gcs_read_urgent(descriptor)
    }

    deinit { giveUp() }

    /// Whether notifications may still be sent to it.
    var isOpen: Bool { descriptor >= 0 }

    /// Closes it.
    func giveUp() {
        // Its watches first: the client has the same open file, so that closing would not end them.
        context = nil
        if isOpen { ForeignDescriptors.close(descriptor) }
        descriptor = -1
    }
}
