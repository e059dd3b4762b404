package top

import (
	"fmt"
	"time"
)

// perSecond writes a rate in at most six characters.
func perSecond(rate float64) string {
	const kilo = 1000
	switch {
	case rate == 0:
		return "0"
	case rate < 10:
		return fmt.Sprintf("%.1f", rate)
	case rate < 10*kilo:
		return fmt.Sprintf("%.0f", rate)
	default:
		return fmt.Sprintf("%.1fk", rate/kilo)
	}
}

// size writes a number of bytes.
func size(bytes uint64) string {
	const kibi = 1 << 10
	value, unit := float64(bytes), 0
	for value >= kibi && unit < 4 {
		value, unit = value/kibi, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[unit-1])
}

// age writes a length of time in few characters.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = max(d, 0); {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 2*day:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%02dh", int(d/day), int(d.Hours())%24)
	}
}

// sinceSeconds is how long ago something was; 0 when that is not known.
func sinceSeconds(now, at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return max(now.Sub(at).Seconds(), 0)
}
