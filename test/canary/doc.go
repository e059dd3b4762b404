// Package canary looks for a secret that was used everywhere that it must not be: in logs, metrics, replies, the configuration
// that is printed, all that crosses the bus, panics, and the memory of secretd once it has given it out.
package canary
