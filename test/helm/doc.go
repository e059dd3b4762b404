// Package helm holds the tests of the Helm chart in deploy/helm: they render it with Helm's own library, and hold what comes out
// against the types of Kubernetes and against the code that runs in it. It is a module of its own, so that no program has Helm.
package helm
