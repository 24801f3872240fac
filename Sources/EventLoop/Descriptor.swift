internal import Glibc

/// An open descriptor; closed exactly once, by its owner.
public struct Descriptor: ~Copyable {
    /// The number, for system calls; never to be closed by the caller.
    public let number: Int32

    /// Takes ownership of `number`.
    public init(adopting number: Int32) { self.number = number }

    deinit { _ = close(number) }

    /// Gives up ownership without closing.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }
}
