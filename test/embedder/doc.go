// Package embedder tests embedders as processes of their own, which are killed.
package embedder
