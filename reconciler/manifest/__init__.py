"""YAML into typed manifests with their positions; references; tenant selection; the formatter."""
