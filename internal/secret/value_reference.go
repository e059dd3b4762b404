package secret

import (
	"context"
	"strings"
	"sync/atomic"
)

// StoreNamed begins a reference by logical name, secret:NAME, which secretd knows how to find. It is no [Ref].
const StoreNamed = "secret"

// IsReference reports whether the text of a setting refers to a secret, well or badly, and is none itself: whether it begins with
// secret:, vault:, aws:, azure:, env: or file:.
func IsReference(text string) bool {
	return strings.HasPrefix(text, StoreNamed+":") || IsRef(text)
}

// Reference is the [Source] of a setting that refers to a secret. It has no content until [Reference.Bind] says where it comes
// from.
type Reference struct {
	store, name string
	bound       atomic.Pointer[Source]
}

// NewReference checks the grammar of a reference: secret:NAME, or what [ParseRef] reads. Its errors do not quote text, which may
// be a secret by mistake.
func NewReference(text string) (*Reference, error) {
	if name, ok := strings.CutPrefix(text, StoreNamed+":"); ok {
		if _, err := ParseName(name); err != nil {
			return nil, err
		}
		return &Reference{store: StoreNamed, name: name}, nil
	}
	ref, err := ParseRef(text)
	if err != nil {
		return nil, err
	}
	if ref.Store == StoreEnv || ref.Store == StoreFile {
		return &Reference{store: ref.Store, name: ref.Path}, nil
	}
	return &Reference{store: ref.Store, name: text}, nil
}

// Store is [StoreNamed], or the store of a [Ref].
func (r *Reference) Store() string { return r.store }

// Name is what its store, or secretd, is asked for: a variable, a path, a logical name, or the whole text of a reference that
// secretd resolves.
func (r *Reference) Name() string { return r.name }

// IsLocal reports whether the reference needs nobody else: whether it names a variable or a file.
func (r *Reference) IsLocal() bool { return r.store == StoreEnv || r.store == StoreFile }

// String returns the reference as it is written. It is no secret.
func (r *Reference) String() string {
	if r.store == StoreNamed || r.IsLocal() {
		return r.store + ":" + r.name
	}
	return r.name
}

// Bind says where the content comes from, from now on.
func (r *Reference) Bind(source Source) { r.bound.Store(&source) }

// Bound returns what Bind was told, or nil.
func (r *Reference) Bound() Source {
	if source := r.bound.Load(); source != nil {
		return *source
	}
	return nil
}

// Current implements [Source].
func (r *Reference) Current() string {
	if source := r.bound.Load(); source != nil {
		return (*source).Current()
	}
	return ""
}

// Renew implements [Source].
func (r *Reference) Renew(ctx context.Context, refused string) {
	if source := r.bound.Load(); source != nil {
		(*source).Renew(ctx, refused)
	}
}

// Reference returns the reference of a live value that was made of one, or nil.
func (v Value) Reference() *Reference {
	if v.live == nil {
		return nil
	}
	ref, ok := (*v.live).(*Reference)
	if !ok {
		return nil
	}
	return ref
}
