public import ArgumentParser
public import GCSClient

/// A status as a word of the command line.
extension BatchStatus: ExpressibleByArgument {}
