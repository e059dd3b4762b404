// Package metrics holds docs/metrics.md against the metrics that the services register.
package metrics
