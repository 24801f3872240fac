import EventLoop

SystemProcess.exit(ServerProgram.run(Array(CommandLine.arguments.dropFirst())))
