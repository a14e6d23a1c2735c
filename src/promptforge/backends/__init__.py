"""What answers a request: an embedded reader, a recording, a server, a provider. `base` says what they share."""
