package watch

import (
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// Kinds of keys in the bucket.
const (
	stateKeys  = "state."
	recordKeys = "repo."
	quotaKeys  = "quota."
)

// Repository names a repository of a forge.
type Repository struct {
	// Forge is the forge's name in the configuration.
	Forge string
	// Name is "owner/name".
	Name string
}

// id is the repository in one word; forges do not tell upper case from lower.
func (r Repository) id() string { return r.Forge + ":" + strings.ToLower(r.Name) }

// Shard returns the part of the watched repositories that r belongs to.
func (r Repository) Shard() int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.id())) // a hash takes everything
	return int(h.Sum32() % events.CIShards)
}

// recordKey is the key of a repository's record.
func (r Repository) recordKey() string {
	return recordKeys + escape(r.Forge) + "." + escape(strings.ToLower(r.Name))
}

// stateKey is the key of the state that a run belongs to.
func stateKey(forgeName string, run forge.Run) string {
	class := "branch"
	if run.PullRequest {
		class = "pull"
	}
	return stateKeys + escape(forgeName) + "." + escape(strings.ToLower(run.Repository)) + "." + strconv.FormatInt(run.WorkflowID, 10) + "." +
		class + "." + escape(run.Branch)
}

// quotaKey is the key of what is left to a credential.
func quotaKey(forgeName, credential string) string {
	return quotaKeys + escape(forgeName) + "." + escape(credential)
}

// escape makes any text one token of a key: what may not stand there becomes = and two hexadecimal digits, and an empty text "=".
func escape(s string) string {
	if s == "" {
		return "="
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('=')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
