// Package keyring keeps the signing keys of webhook endpoints, and asks for the secrets that endpoints refer to.
//
// A key is either generated, and then stored sealed under a key of the operator's that never reaches the bus ([Sealer]),
// or it stands somewhere else and only its reference is stored ([Resolver]). Nothing in this package prints a key.
package keyring
