// Package vaultsrv runs the store of secrets in Vault against the core of the real one, version 1.14.0, the last under a free
// licence. It is a module of its own, since that core brings hundreds of others; none of them is in any program.
package vaultsrv
