internal import Glibc

exit(runStore(CommandLine.arguments))
