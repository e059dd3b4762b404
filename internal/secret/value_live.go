package secret

import "context"

// Source is where the content of a live [Value] comes from. It is safe for concurrent use.
type Source interface {
	// Current returns the content as it is known now, or nothing when there is none: it is not known yet, or was taken away.
	// It is called for every use, and waits for nobody.
	Current() string
	// Renew asks for the content now, since somebody refused what Current returned, and returns when that is known, has failed,
	// or is too soon after the last time; or when ctx ends.
	Renew(ctx context.Context, refused string)
}

// Live returns a Value whose content is what source says at the time of each use. Whoever wants rotation to reach him keeps
// the Value, not what [Value.Reveal] returned.
func Live(source Source) Value { return Value{live: &source} }

// IsLive reports whether the content may change.
func (v Value) IsLive() bool { return v.live != nil }

// IsPending reports that the value is live and has no content now: what it refers to is not known yet, or was taken away.
func (v Value) IsPending() bool { return v.live != nil && (*v.live).Current() == "" }

// Renew asks where the value comes from, because refused, which Reveal returned, was not accepted. It returns the content as it
// is then, and whether that is another one worth a second try. Of a value that is not live it asks nobody.
func (v Value) Renew(ctx context.Context, refused string) (content string, changed bool) {
	if v.live == nil {
		return v.Reveal(), false
	}
	if (*v.live).Current() == refused {
		(*v.live).Renew(ctx, refused)
	}
	content = (*v.live).Current()
	return content, content != refused && content != ""
}
