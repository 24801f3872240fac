import Settings
import Testing

@Suite struct NodeSettingsTests {
    @Test("takes the flags that a node is started with")
    func flags() throws {
        let (values, _) = try NodeSettings.table.start([
            "--gcs-address", "[::1]:7000", "--gcs-username", "node", "--gcs-password", "a b",
            "--store-socket", "/run/plasma", "--node-id", "n.1_a:b-C", "--node-address", "x:1",
            "--loglevel", "debug", "--logfile", "/tmp/l",
        ]) { _ throws(SettingError.Reason) in "" }
        #expect(values.gcsAddress == "[::1]:7000")
        #expect(values.gcsUsername == "node")
        #expect(values.gcsPassword == "a b")
        #expect(values.storeSocketPath == "/run/plasma")
        #expect(values.nodeID == "n.1_a:b-C")
        #expect(values.nodeAddress == "x:1")
        #expect(values.logLevel == .debug)
        #expect(values.logFilePath == "/tmp/l")
    }

    @Test(
        "refuses names that the server would refuse",
        arguments: [
            "a b", "ü", "a/b", String(repeating: "n", count: 65),
        ])
    func badNodeIDs(_ name: String) {
        var values = NodeSettings()
        #expect(throws: SettingError.self) {
            try NodeSettings.table.set("node-id", name, in: &values, at: .start)
        }
        #expect(values == NodeSettings())
    }

    @Test("takes a name of 64 characters")
    func longestNodeID() throws {
        var values = NodeSettings()
        let name = String(repeating: "n", count: 64)
        try NodeSettings.table.set("node-id", name, in: &values, at: .start)
        #expect(values.nodeID == name)
    }
}
