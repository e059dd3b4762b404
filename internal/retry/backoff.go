package retry

import "time"

// Backoff is an exponential delay with a ceiling and some jitter on top, so that those who failed together
// do not all come back together.
type Backoff struct {
	Base   time.Duration // the delay before the first retry (n = 0); zero or less means no exponential part
	Cap    time.Duration // the longest exponential part; zero or less means no ceiling but that of the type
	Jitter time.Duration // at most this much is added at random, above Cap too
}

// Delay returns min(Base*2^n, Cap) + rnd()*Jitter, where n counts the retries from zero; a negative n counts as zero.
// rnd returns a number in [0, 1), as [math/rand/v2.Float64] does; nil means no jitter. The result never overflows.
func (b Backoff) Delay(n int, rnd func() float64) time.Duration {
	const longest = time.Duration(1<<63 - 1)
	ceiling := b.Cap
	if ceiling <= 0 {
		ceiling = longest
	}
	d := min(max(b.Base, 0), ceiling)
	for range n {
		if d == 0 || d == ceiling {
			break
		}
		if d > ceiling/2 { // doubling would pass the ceiling, or overflow
			d = ceiling
			break
		}
		d *= 2
	}
	if rnd == nil || b.Jitter <= 0 {
		return d
	}
	jitter := time.Duration(rnd() * float64(b.Jitter))
	if jitter > longest-d {
		return longest
	}
	return d + jitter
}
