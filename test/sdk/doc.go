// Package sdk holds our adapters against the official SDKs of the vendors: what the adapters send is what an SDK's own types read and
// write, and of what a server answers both make the same. It is a module of its own, so that no program has the SDKs.
package sdk
