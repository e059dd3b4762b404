// Package metrics_test holds docs/metrics.md against the metrics that the services register, and the number of their series against
// callers who make up names.
package metrics_test
