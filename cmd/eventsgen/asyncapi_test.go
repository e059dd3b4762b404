package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// asyncAPIDocument is what the tests look at of the generated document.
type asyncAPIDocument struct {
	AsyncAPI string `yaml:"asyncapi"`
	Channels map[string]struct {
		Address    *string
		Messages   map[string]any
		Parameters map[string]any
	}
	Operations map[string]struct {
		Action  string
		Channel map[string]string
		Reply   *struct {
			Channel  map[string]string
			Messages []map[string]string
		}
	}
}

func readAsyncAPI(t *testing.T) (asyncAPIDocument, map[string]any) {
	t.Helper()
	files := map[string][]byte{}
	require.NoError(t, asyncAPI(root, files))
	content := files["docs/asyncapi.yaml"]
	var doc asyncAPIDocument
	require.NoError(t, yaml.Unmarshal(content, &doc))
	var all map[string]any
	require.NoError(t, yaml.Unmarshal(content, &all))
	return doc, all
}

func TestAsyncAPIReferencesResolve(t *testing.T) {
	t.Parallel()
	_, all := readAsyncAPI(t)
	seen := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				seen++
				requireResolves(t, all, ref)
			}
			for _, member := range v {
				walk(member)
			}
		case []any:
			for _, element := range v {
				walk(element)
			}
		}
	}
	walk(all)
	require.Greater(t, seen, 100)
}

// requireResolves checks that a reference leads somewhere: inside of the document, or to a file.
func requireResolves(t *testing.T, all map[string]any, ref string) {
	t.Helper()
	pointer, inside := strings.CutPrefix(ref, "#/")
	if !inside {
		_, err := os.Stat(filepath.Join(root, "docs", ref))
		require.NoError(t, err, ref)
		return
	}
	var at any = all
	for part := range strings.SplitSeq(pointer, "/") {
		members, ok := at.(map[string]any)
		require.True(t, ok, ref)
		at, ok = members[part]
		require.True(t, ok, ref)
	}
}

func TestAsyncAPIHoldsTheCatalogue(t *testing.T) {
	t.Parallel()
	doc, _ := readAsyncAPI(t)
	require.Equal(t, "3.0.0", doc.AsyncAPI)
	addresses := map[string]string{}
	for name, c := range doc.Channels {
		require.Regexp(t, `^[A-Za-z0-9_]+$`, name)
		require.NotEmpty(t, c.Messages, name)
		if c.Address == nil {
			continue
		}
		require.Empty(t, addresses[*c.Address], "%s stands twice", *c.Address)
		addresses[*c.Address] = name
		require.Len(t, c.Parameters, strings.Count(*c.Address, "{"), name)
	}
	var s events.Subjects
	for _, et := range events.Types() {
		require.Contains(t, addresses, s.Event(et.Name))
	}
	for _, op := range events.Operations() {
		require.Contains(t, addresses, s.Interactive("{caller}", op.Name))
		_, plain := addresses[s.Interactive("", op.Name)]
		require.Equal(t, !op.CallerOnly, plain, op.Name)
		operation := doc.Operations["as_"+key(op.Name)]
		require.Equal(t, "receive", operation.Action)
		require.NotNil(t, operation.Reply, op.Name)
		require.GreaterOrEqual(t, len(operation.Reply.Messages), 2, "a reply or an error")
	}
	for _, kind := range events.RequestKinds() {
		require.Contains(t, addresses, s.Request("", kind))
		require.Contains(t, addresses, s.Request("{caller}", kind))
	}
	for _, address := range []string{
		s.Result("{caller}", "{request}"), s.DeliveryReady("{endpoint}"), s.DeliveryLater("{delivery}"), s.Attempts("{endpoint}"),
		s.DeadEvent(), s.DeadRequest("{kind}"), s.DeadDelivery("{fault}", "{endpoint}"), s.DeliveryAgain("{endpoint}"),
	} {
		require.Contains(t, addresses, address)
	}
}
