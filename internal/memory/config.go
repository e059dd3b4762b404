package memory

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Off is the limit that switches the watch off.
const Off = "off"

// Config is what operators set.
type Config struct {
	Limit    string        `name:"memory-limit" env:"MLSDM_MEMORY_LIMIT" placeholder:"BYTES" help:"Memory that the process may use, such as 512MiB, against which it is watched; off for no watch. Empty: GOMEMLIMIT, else the limit of its cgroup, else no watch."`
	Warning  int           `name:"memory-warning" env:"MLSDM_MEMORY_WARNING" default:"80" placeholder:"PERCENT" help:"Share of the limit at which memory.threshold_exceeded is published as a warning."`
	Critical int           `name:"memory-critical" env:"MLSDM_MEMORY_CRITICAL" default:"92" placeholder:"PERCENT" help:"Share of the limit at which it is published as critical, caches shrink and no new durable work is taken."`
	Grace    time.Duration `name:"memory-grace" env:"MLSDM_MEMORY_GRACE" default:"60s" placeholder:"DURATION" help:"How long memory may stay critical before the process publishes system.emergency_shutdown, drains and ends with status 75, up to 24h; at 98 % of the limit it does so at once. 0s for never."`
}

// maxGrace bounds the setting: whoever waits longer has mistaken the unit.
const maxGrace = 24 * time.Hour

// least is the least limit that makes sense: the Go runtime alone takes some megabytes.
const least = 4 << 20

// Validate checks the settings.
func (c Config) Validate() error {
	if _, _, err := c.bytes(); err != nil {
		return err
	}
	const whole = 100
	switch {
	case c.Critical <= rearmPoints || c.Critical > whole:
		return fmt.Errorf("memory-critical is %d; it must be %d to %d, in percent", c.Critical, rearmPoints+1, whole)
	case c.Warning <= rearmPoints || c.Warning >= c.Critical:
		return fmt.Errorf("memory-warning is %d; it must be %d or more, and less than memory-critical, which is %d", c.Warning, rearmPoints+1, c.Critical)
	case c.Grace < 0 || c.Grace > maxGrace:
		return fmt.Errorf("memory-grace is %s; it must be 0s to %s", c.Grace, maxGrace)
	}
	return nil
}

// bytes returns the limit that was configured; 0 is none.
func (c Config) bytes() (limit int64, off bool, err error) {
	switch c.Limit {
	case "":
		return 0, false, nil
	case Off:
		return 0, true, nil
	}
	n, err := parseBytes(c.Limit)
	if err != nil || n < least {
		return 0, false, fmt.Errorf("memory-limit is %q; it must be off, or bytes from 4MiB on, such as 512MiB or 2GiB", c.Limit)
	}
	return n, false, nil
}

// parseBytes reads a whole number of bytes, with B, KiB, MiB, GiB or TiB behind it as in GOMEMLIMIT, or Ki, Mi, Gi or Ti.
func parseBytes(text string) (int64, error) {
	unit := int64(1)
	number := strings.TrimSuffix(text, "B")
	for i, suffix := range []string{"Ki", "Mi", "Gi", "Ti"} {
		if digits, found := strings.CutSuffix(number, suffix); found {
			number, unit = digits, int64(1)<<(10*(i+1))
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%q is no number of bytes: %w", text, err)
	}
	if int64(n) > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is more than can be counted", text)
	}
	return int64(n) * unit, nil
}
