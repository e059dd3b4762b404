# What secretd may do: read below mlsdm/, and look at, keep and give back its own token. Not list, and nothing else.
path "secret/data/mlsdm/*" {
  capabilities = ["read"]
}
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}
