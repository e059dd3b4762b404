// Package secrettest is the contract of a store of secrets, as a suite that every store runs over a provider of its own: a fake that
// speaks what the real one does, or the real one.
package secrettest

import "time"

// Canary is in every value and every credential of the suite; it must be nowhere else.
const Canary = "canary31337"

// patience bounds one call of a store that answers.
const patience = 30 * time.Second
