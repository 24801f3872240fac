// Program code is in Program.swift: closures formed here would belong to the main actor.
Program.run(CommandLine.arguments)
