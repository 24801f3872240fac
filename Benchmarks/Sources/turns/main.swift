runCases(isQuick: CommandLine.arguments.contains("--quick"))
