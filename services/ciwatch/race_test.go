//go:build race

package ciwatch_test

// raced says that the race detector is on, which makes everything take many times as long.
const raced = true
