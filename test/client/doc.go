// Package client holds the tests of pkg/client that need a server: the module pkg itself depends on no server and on no
// test library, so that its users do not either.
package client
