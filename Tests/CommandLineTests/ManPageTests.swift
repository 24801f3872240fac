import Testing

@testable import gcs

@Suite struct ManPageTests {
    @Test("what man(7) would take for its own is escaped, and backticks are bold")
    func escapes() {
        var page = ManPage("gcs.conf", section: 5, summary: "settings")
        page.heading("a \"quoted\" one")
        page.paragraph(".starts with a dot, `--name`, C:\\")
        page.entry("port", ["first", "'second"])
        #expect(
            page.text == #"""
                .TH "GCS.CONF" 5
                .SH "NAME"
                gcs.conf \- settings
                .SH "A \(dqQUOTED\(dq ONE"
                .PP
                \&.starts with a dot, \fB\-\-name\fR, C:\e
                .TP
                \fBport\fR
                first
                .IP
                \&'second

                """#)
    }
}
