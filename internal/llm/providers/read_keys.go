package providers

import (
	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
)

// readKeys reads a list of references to keys: [secret:openai_api_key, {key: secret:openai_spare_key, weight: 3}].
func readKeys(r *section.Reader, n *yaml.Node) []Key {
	var keys []Key
	for _, item := range r.Items(n, "keys") {
		if item.Kind != yaml.MappingNode {
			keys = readKey(r, keys, item, 1)
			continue
		}
		var text *yaml.Node
		weight := int64(1)
		for field, value := range r.Pairs(item, "a key") {
			switch field.Value {
			case "key":
				text = value
			case "weight":
				weight = r.Whole(value, "weight", 1, MaxWeight)
			default:
				r.Complain(field, "unknown key %q; there are key and weight", field.Value)
			}
		}
		if text == nil {
			r.Complain(item, "a key is a reference, or {key: REFERENCE, weight: N}")
			continue
		}
		keys = readKey(r, keys, text, weight)
	}
	return keys
}

// readKey reads one reference. What is none is not quoted: it may be a key.
func readKey(r *section.Reader, keys []Key, n *yaml.Node, weight int64) []Key {
	text := r.Text(n, "a key")
	if text == "" {
		return keys
	}
	if !secret.IsReference(text) {
		r.Complain(n, "a key is a reference, such as secret:openai_api_key, env:OPENAI_API_KEY or file:/run/secrets/openai; the key itself does not belong here")
		return keys
	}
	ref, err := secret.NewReference(text)
	if err != nil {
		r.Complain(n, "%w", err)
		return keys
	}
	return append(keys, Key{Name: ref.String(), Value: secret.Live(ref), Weight: int(weight)})
}

// readTexts reads a mapping of texts.
func readTexts(r *section.Reader, n *yaml.Node, what string) map[string]string {
	texts := make(map[string]string)
	for key, value := range r.Pairs(n, what) {
		texts[key.Value] = r.Text(value, key.Value)
	}
	return texts
}
