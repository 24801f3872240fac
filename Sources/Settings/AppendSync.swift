/// When the append-only file is made durable.
public enum AppendSync: String, CaseIterable, Sendable {
    /// Before a change is answered.
    case always
    /// Once a second.
    case everysec
    /// When the system does.
    case no
}
