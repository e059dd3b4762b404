// Package trace holds tests of whole traces: from who publishes a request to who takes the webhook about it, as a collector gets them.
package trace
