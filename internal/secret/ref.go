package secret

import (
	"errors"
	"fmt"
	"strings"
)

// MaxRef is the longest reference, in bytes.
const MaxRef = 512

// ErrRef is wrapped by the errors of [ParseRef].
var ErrRef = errors.New("not a reference to a secret")

// Names of the stores, as references and entries have them.
const (
	StoreVault = "vault"
	StoreAWS   = "aws"
	StoreAzure = "azure"
	StoreEnv   = "env"
	StoreFile  = "file"
)

// Ref says where a secret is kept: vault:mlsdm/openai#api_key@3, aws:mlsdm/openai#api_key, azure:openai-key,
// env:OPENAI_API_KEY, file:/run/secrets/openai. The zero Ref refers to nothing; [ParseRef] makes those that are safe to
// give to a store.
type Ref struct {
	// Store is one of the names above.
	Store string
	// Path is what the store calls the secret. It never climbs: no part of it is "." or "..".
	Path string
	// Field is one member of a value that has several, in vault and aws; empty is the whole value, or the only field.
	Field string
	// Version pins a version: a number in vault, a stage or version id in aws, a version id in azure; empty is the current one.
	Version string
}

// ParseRef reads a reference, STORE:PATH[#FIELD][@VERSION]. Env and file have neither field nor version; a file's path may hold
// any character but those that no reference has.
func ParseRef(text string) (Ref, error) {
	if len(text) > MaxRef {
		return Ref{}, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrRef, len(text), MaxRef)
	}
	store, rest, ok := strings.Cut(text, ":")
	if !ok || !isStore(store) {
		return Ref{}, fmt.Errorf("%w: it begins with vault:, aws:, azure:, env: or file:", ErrRef)
	}
	r := Ref{Store: store, Path: rest}
	if store != StoreEnv && store != StoreFile {
		r.Path, r.Version, ok = strings.Cut(rest, "@")
		if ok && !plain(r.Version, "") {
			return Ref{}, fmt.Errorf("%w: behind @ comes a version, made of A-Z a-z 0-9 _ . -", ErrRef)
		}
		r.Path, r.Field, ok = strings.Cut(r.Path, "#")
		if ok && !plain(r.Field, "") {
			return Ref{}, fmt.Errorf("%w: behind # comes a field, made of A-Z a-z 0-9 _ . -", ErrRef)
		}
	}
	if err := r.checkPath(); err != nil {
		return Ref{}, err
	}
	return r, nil
}

// IsRef reports whether text begins as a reference does, whether it is a good one or not.
func IsRef(text string) bool {
	store, _, ok := strings.Cut(text, ":")
	return ok && isStore(store)
}

func isStore(name string) bool {
	switch name {
	case StoreVault, StoreAWS, StoreAzure, StoreEnv, StoreFile:
		return true
	default:
		return false
	}
}

// checkPath refuses what the store would read as something else than one name below where it may look.
func (r Ref) checkPath() error {
	allowed, also := true, ""
	path := r.Path
	switch r.Store {
	case StoreVault, StoreAWS:
		also = "/+="
		path = strings.TrimPrefix(path, "/")
		allowed = plain(path, also)
	case StoreAzure:
		allowed = plain(path, "") && !strings.ContainsAny(path, "._")
	case StoreEnv:
		allowed = plain(path, "") && !strings.ContainsAny(path, ".-")
	case StoreFile:
		allowed = strings.HasPrefix(path, "/") && len(path) > 1 && !strings.ContainsFunc(path, func(c rune) bool { return c < ' ' || c == 0x7f })
		path = path[min(1, len(path)):]
	}
	if path == "" || !allowed {
		return fmt.Errorf("%w: behind %s: comes %s", ErrRef, r.Store, r.grammar())
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("%w: no part of its path is empty, . or ..", ErrRef)
		}
	}
	return nil
}

func (r Ref) grammar() string {
	switch r.Store {
	case StoreAzure:
		return "a name made of A-Z a-z 0-9 -"
	case StoreEnv:
		return "a variable made of A-Z a-z 0-9 _"
	case StoreFile:
		return "an absolute path"
	default:
		return "a path made of A-Z a-z 0-9 _ . - + = and /"
	}
}

// plain reports whether text is made of A-Z a-z 0-9 _ . - and what is allowed also, and is not empty.
func plain(text, also string) bool {
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '.', c == '-':
		case strings.IndexByte(also, c) >= 0:
		default:
			return false
		}
	}
	return text != ""
}

// String returns the reference as it is written.
func (r Ref) String() string {
	text := r.Store + ":" + r.Path
	if r.Field != "" {
		text += "#" + r.Field
	}
	if r.Version != "" {
		text += "@" + r.Version
	}
	return text
}
