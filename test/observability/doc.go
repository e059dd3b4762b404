// Package observability_test holds the alert rules, the dashboards and the runbook against a running stack, with the parsers and the
// engine of Prometheus itself.
package observability_test
