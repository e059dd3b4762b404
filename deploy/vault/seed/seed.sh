#!/bin/sh
# Gives a Vault for development what the stack wants of it: secrets that are examples, and a role by which secretd logs in. What is
# there already stays as it is, so this can be run at any time, and has to be after Vault was restarted: it has forgotten everything.
#
# It needs nothing but a shell and the wget of busybox, and leaves role_id and secret_id in /run/approle.
set -eu
umask 077

role=mlsdm-secretd
here=$(dirname "$0")
given=/run/approle
token=$(cat /run/secrets/vault-root.token)

get() { wget -q -O - --header "X-Vault-Token: $token" "$VAULT_ADDR/v1/$1"; }
post() { wget -q -O - --header "X-Vault-Token: $token" --post-data "$2" "$VAULT_ADDR/v1/$1"; }
fail() { echo "vault-seed: $*" >&2; exit 1; }

# missing PATH: whether Vault says that nothing is there.
missing() {
  answer=$(get "$1" 2>&1) && return 1
  case $answer in *' 404 '*) return 0 ;; *) fail "$1: $answer" ;; esac
}

# example NAME: a secret that nobody takes for a real one.
example() {
  missing "secret/metadata/mlsdm/$1" || return 0
  post "secret/data/mlsdm/$1" "{\"options\":{\"cas\":0},\"data\":{\"api_key\":\"example-$1-not-a-real-key\"}}" >/dev/null ||
    fail "mlsdm/$1 cannot be written"
  echo "vault-seed: an example is at mlsdm/$1"
}

# field NAME: its value, of the JSON on standard input.
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }

# leave NAME VALUE: a file for secretd, whole at every moment.
leave() {
  [ -n "$2" ] || fail "vault gave no $1"
  printf '%s\n' "$2" >"$given/.$1.new"
  chmod 0400 "$given/.$1.new"
  mv -f "$given/.$1.new" "$given/$1"
}

# It answers a moment before it knows its root token.
tries=30
until get auth/token/lookup-self >/dev/null 2>&1 && get secret/config >/dev/null 2>&1; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || fail "$VAULT_ADDR does not take the root token, or has no secret/"
  sleep 1
done

example openai
example anthropic
example cohere

post "sys/policies/acl/$role" "{\"policy\":\"$(base64 <"$here/$role.hcl" | tr -d '\n')\"}" >/dev/null
get sys/auth | grep -q '"approle/"' || post sys/auth/approle '{"type":"approle"}' >/dev/null
post "auth/approle/role/$role" \
  "{\"token_policies\":[\"$role\"],\"token_no_default_policy\":true,\"token_ttl\":\"1h\",\"token_max_ttl\":\"24h\"}" >/dev/null
leave role_id "$(get "auth/approle/role/$role/role-id" | field role_id)"

# A secret id that Vault still knows is kept.
if [ -s "$given/secret_id" ]; then
  known=$(post "auth/approle/role/$role/secret-id/lookup" "{\"secret_id\":\"$(cat "$given/secret_id")\"}" 2>/dev/null | field secret_id_accessor) || known=
  if [ -n "$known" ]; then
    echo "vault-seed: secretd has a secret id already"
    exit 0
  fi
fi
leave secret_id "$(post "auth/approle/role/$role/secret-id" '{}' | field secret_id)"
echo "vault-seed: secretd has a new secret id"
