// Package ciwatch tests several ciwatch at once, of which one dies or sleeps at any moment: what is recovered is recovered once.
package ciwatch
