"""What `reconciler doctor` checks of an estate's set-up, one module per subject: it reads, and writes nothing."""
