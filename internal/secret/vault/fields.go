package vault

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"strconv"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// kvData is how version 2 of KV answers (https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2).
type kvData struct {
	Data     jsontext.Value `json:"data"`
	Metadata *struct {
		Version      int64   `json:"version"`
		CreatedTime  string  `json:"created_time"`
		DeletionTime *string `json:"deletion_time"`
		Destroyed    bool    `json:"destroyed"`
	} `json:"metadata"`
}

// looksVersioned reports whether data is that of version 2 of KV.
func looksVersioned(data jsontext.Value) bool {
	var d kvData
	defer func() { clear(d.Data) }()
	return strict.Unmarshal(data, &d) == nil && d.Metadata != nil && d.Metadata.Version > 0 && d.Metadata.CreatedTime != "" &&
		(len(d.Data) == 0 || d.Data.Kind() == '{' || d.Data.Kind() == 'n')
}

// versioned returns the entry in what version 2 of KV answers.
func versioned(data jsontext.Value, ref secret.Ref, session *session) (secret.Entry, error) {
	var d kvData
	defer func() { clear(d.Data) }()
	if err := strict.Unmarshal(data, &d); err != nil || d.Metadata == nil || d.Metadata.Version <= 0 {
		return secret.Entry{}, fmt.Errorf("%w; is the version of KV right?", unreadable())
	}
	version := strconv.FormatInt(d.Metadata.Version, 10)
	if ref.Version != "" && ref.Version != version {
		return secret.Entry{}, fmt.Errorf("%w: vault answers with another version than the one asked for", secret.ErrUnavailable)
	}
	if len(d.Data) == 0 || d.Data.Kind() == 'n' {
		if d.Metadata.Destroyed || d.Metadata.DeletionTime != nil && *d.Metadata.DeletionTime != "" {
			return secret.Entry{}, fmt.Errorf("%w: version %s", secret.ErrGone, version)
		}
		return secret.Entry{}, answer{status: http.StatusNotFound, Errors: []string{}}.refusal()
	}
	entry, err := fields(d.Data, ref, session)
	if err == nil {
		entry.Version = version
	}
	return entry, err
}

// fields returns the field that a reference names; without a name "value", or the only field there is. Our own token is no
// secret that anybody may have, wherever it is found.
func fields(data jsontext.Value, ref secret.Ref, session *session) (secret.Entry, error) {
	var members map[string]jsontext.Value
	defer func() {
		for _, member := range members {
			clear(member)
		}
	}()
	if err := strict.Unmarshal(data, &members); err != nil {
		return secret.Entry{}, unreadable()
	}
	if len(members) == 0 {
		return secret.Entry{}, answer{status: http.StatusNotFound, Errors: []string{}}.refusal()
	}
	name := ref.Field
	member, ok := members[name]
	if name == "" {
		name = "value"
		member, ok = members[name]
		if !ok && len(members) == 1 {
			for name, member = range members {
				ok = true
			}
		}
	}
	switch {
	case !ok && ref.Field == "":
		return secret.Entry{}, fmt.Errorf(`%w: it has neither a field "value" nor a single one; name one behind #`, secret.ErrUnusable)
	case !ok:
		return secret.Entry{}, fmt.Errorf("%w: it has no field %q", secret.ErrUnusable, name)
	}
	if member.Kind() != '"' {
		return secret.Entry{}, fmt.Errorf("%w: the field that is asked for is no text", secret.ErrUnusable)
	}
	text, err := jsontext.AppendUnquote(make([]byte, 0, len(member)), member) // not a byte of it is copied when it grows
	if err != nil {
		clear(text)
		return secret.Entry{}, fmt.Errorf("%w: the field that is asked for is no text", secret.ErrUnusable)
	}
	if session != nil && subtle.ConstantTimeCompare(text, []byte(session.token.Reveal())) == 1 {
		clear(text)
		return secret.Entry{}, fmt.Errorf("%w: that is the token with which we ask", secret.ErrDenied)
	}
	return secret.TakeEntry(secret.StoreVault, "", text)
}
