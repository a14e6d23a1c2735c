"""The command line: one file a command group. Parse, call one function, print."""
