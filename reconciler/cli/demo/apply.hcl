# reconciler-apply.hcl: writes secrets, and cannot read one.
path "secret/data/security-keys/*" {
  capabilities = ["create", "update", "patch"]
}
path "secret/metadata/security-keys/*" {
  capabilities = ["create", "update", "patch", "read", "list"]
}
path "secret/detailed-metadata/security-keys/*" {
  capabilities = ["list"]
}
path "secret/delete/security-keys/*" {
  capabilities = ["update"]
}
path "secret/undelete/security-keys/*" {
  capabilities = ["update"]
}

# The state and the lease.
path "secret/data/reconciler/*" {
  capabilities = ["create", "update", "read"]
}
path "secret/metadata/reconciler/*" {
  capabilities = ["create", "update", "read", "list"]
}

path "secret/data/reconciler-credentials/+/apply" {
  capabilities = ["read"]
}
path "secret/data/reconciler-credentials/+" {
  capabilities = ["read"]
}
