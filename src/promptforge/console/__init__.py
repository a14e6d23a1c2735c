"""Values to the terminal. The only printer: results to stdout, everything else to stderr."""
