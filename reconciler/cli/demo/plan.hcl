# reconciler-plan.hcl: reads what exists, changes nothing.
path "secret/metadata/security-keys/*" {
  capabilities = ["read", "list"]
}

# OpenBao: a whole folder's metadata in one call. HashiCorp Vault does not have it, and the rule does no harm there.
path "secret/detailed-metadata/security-keys/*" {
  capabilities = ["list"]
}

# The state holds no secret.
path "secret/data/reconciler/*" {
  capabilities = ["read"]
}

# Its own vendor credentials: those for planning, and those that a tenant uses for both.
path "secret/data/reconciler-credentials/+/plan" {
  capabilities = ["read"]
}
path "secret/data/reconciler-credentials/+" {
  capabilities = ["read"]
}
