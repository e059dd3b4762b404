package secret

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
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
	// Field is one member of a value that has several: in vault of an entry, in aws and azure of a text that is a JSON object.
	// Empty is the whole value, or the only field.
	Field string
	// Version pins a version: a number in vault, a stage or version id in aws, a version id in azure; empty is the current one.
	Version string
}

// ParseRef reads a reference, STORE:PATH[#FIELD][@VERSION]. Env and file have neither field nor version; a file's path may hold
// any character that is no control.
func ParseRef(text string) (Ref, error) {
	if len(text) > MaxRef {
		return Ref{}, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrRef, len(text), MaxRef)
	}
	store, rest, ok := strings.Cut(text, ":")
	if !ok || !isStore(store) {
		return Ref{}, fmt.Errorf("%w: it must begin with vault:, aws:, azure:, env: or file: and a path", ErrRef)
	}
	r := Ref{Store: store, Path: rest}
	if versioned(store) {
		r.Path, r.Version, ok = strings.Cut(rest, "@")
		if ok && r.Version == "" {
			return Ref{}, errVersion()
		}
		r.Path, r.Field, ok = strings.Cut(r.Path, "#")
		if ok && r.Field == "" {
			return Ref{}, errField()
		}
	}
	if err := r.Check(store); err != nil {
		return Ref{}, err
	}
	return r, nil
}

// Check returns an error, which wraps [ErrRef], unless r is one that [ParseRef] makes for that store. Every store calls it
// before it asks anybody, so that what it builds of a reference (a URL, a file's name) is never more than one name below where
// it may look, whoever made the reference.
func (r Ref) Check(store string) error {
	if r.Store != store || !isStore(store) {
		return fmt.Errorf("%w: it is not one of the store %s", ErrRef, store)
	}
	if size := len(r.String()); size > MaxRef {
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrRef, size, MaxRef)
	}
	if !versioned(store) && (r.Field != "" || r.Version != "") {
		return fmt.Errorf("%w: %s has neither fields nor versions", ErrRef, store)
	}
	if r.Version != "" && !token(r.Version) {
		return errVersion()
	}
	if r.Field != "" && !token(r.Field) {
		return errField()
	}
	return r.checkPath()
}

func errVersion() error {
	return fmt.Errorf("%w: behind @ comes a version, made of A-Z a-z 0-9 _ . - and not of dots only", ErrRef)
}

func errField() error {
	return fmt.Errorf("%w: behind # comes a field, made of A-Z a-z 0-9 _ . - and not of dots only", ErrRef)
}

// versioned reports whether references of a store may have fields and versions.
func versioned(store string) bool { return store != StoreEnv && store != StoreFile }

// token reports whether text can be a part of a path that leads nowhere else.
func token(text string) bool { return plain(text, "") && strings.Trim(text, ".") != "" }

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
	path, allowed := r.Path, false
	switch r.Store {
	case StoreVault, StoreAWS:
		path = strings.TrimPrefix(path, "/")
		allowed = plain(path, "/+=")
	case StoreAzure:
		allowed = plain(path, "") && !strings.ContainsAny(path, "._")
	case StoreEnv:
		allowed = plain(path, "") && !strings.ContainsAny(path, ".-")
	case StoreFile:
		allowed = strings.HasPrefix(path, "/") && len(path) > 1 && utf8.ValidString(path) && !strings.ContainsFunc(path, unicode.IsControl)
		path = path[min(1, len(path)):]
	}
	if path == "" || !allowed {
		return fmt.Errorf("%w: behind %s: comes %s", ErrRef, r.Store, r.grammar())
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("%w: a part of its path is empty, or is . or .., which leads elsewhere", ErrRef)
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
