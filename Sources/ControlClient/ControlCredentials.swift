/// What AUTH is sent with.
public struct ControlCredentials: Equatable, Sendable {
    /// `nil` for the default user.
    public var username: String?
    /// Never logged.
    public var password: String

    /// A password, and a user unless it is the default one's.
    public init(username: String? = nil, password: String) {
        self.username = username
        self.password = password
    }

    /// The words of the AUTH command.
    var words: [[UInt8]] {
        let user = username.map { [Array($0.utf8)] } ?? []
        return [Array("AUTH".utf8)] + user + [Array(password.utf8)]
    }
}
