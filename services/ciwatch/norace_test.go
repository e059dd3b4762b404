//go:build !race

package ciwatch_test

// raced says that the race detector is on.
const raced = false
