"""What the vendor emulators share: the server, faults, clocks, a locally made CA. Never imported to reconcile."""
