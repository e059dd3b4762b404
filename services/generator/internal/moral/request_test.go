package moral_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/moral"
)

func TestScoreOfTheRequest(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	f := filterOn(t, srv, moral.Default())
	for value, code := range map[string]events.Code{
		`0.5`: "", `1`: "", `"0.8"`: "", `"1"`: "", `5e-1`: "", `"5e-1"`: "", ` 0.7 `: "",
		`0`: events.CodeContentRejected, `-0`: events.CodeContentRejected, `"0.29"`: events.CodeContentRejected, `0.0`: events.CodeContentRejected,
	} {
		fresh := filterOn(t, srv, moral.Default())
		require.Equal(t, code, events.CodeOf(fresh.Prompt(t.Context(), subject(), valued(canary, value))), value)
		require.EqualValues(t, 1, fresh.State().Count)
	}
	for _, value := range []string{
		`null`, `true`, `[]`, `[0.5]`, `{}`, `""`, `"x"`, `"NaN"`, `"Inf"`, `"-Inf"`, `"infinity"`, `"0x1p-2"`, `"0_1"`, `" 0.5"`, `"0.5 "`, `"null"`,
		`-0.1`, `1.0001`, `2`, `1e400`, `"1e400"`, `"-1"`, `"0.5,"`, `"٠.٥"`, `"` + strings.Repeat("9", 1000) + `"`,
	} {
		err := f.Prompt(t.Context(), subject(), valued(canary, value))
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), value)
		require.ErrorContains(t, err, "metadata.moral_value")
	}
	require.Zero(t, f.State().Count, "what has no score is no decision")
	for _, metadata := range []string{`"x"`, `[]`, `7`, `{}`, `{"Moral_Value":0}`, `{"moral_valu":0}`} {
		req := prompt(canary)
		req.Extra = map[string]json.RawMessage{"metadata": json.RawMessage(metadata)}
		require.NoError(t, f.Prompt(t.Context(), subject(), req), metadata)
	}
	require.NoError(t, f.Prompt(t.Context(), subject(), prompt(canary)))
	require.Zero(t, f.State().Count)
}

func TestScoreMustBeThere(t *testing.T) {
	t.Parallel()
	cfg := moral.Default()
	cfg.Enabled = moral.On
	f := newFilter(t, cfg)
	err := f.Prompt(t.Context(), subject(), prompt("hi"))
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	require.ErrorContains(t, err, "metadata.moral_value is missing")
	require.NoError(t, f.Prompt(t.Context(), subject(), valued("hi", "0.6")))

	for _, off := range []func(*moral.Config){
		func(c *moral.Config) { c.Enabled = moral.Off },
		func(c *moral.Config) { c.Scorer.Kind = moral.NoScorer },
	} {
		cfg := moral.Default()
		off(&cfg)
		f := newFilter(t, cfg)
		<-f.Ready()
		require.NoError(t, f.Prompt(t.Context(), subject(), valued("hi", "0")))
		require.Zero(t, f.State().Count)
	}
}

// A rejection says score and threshold, and nothing of the text.
func TestRejection(t *testing.T) {
	t.Parallel()
	f := newFilter(t, moral.Default())
	err := f.Prompt(t.Context(), subject(), valued(canary, "0.123456"))
	require.EqualError(t, err, "content_rejected: the moral filter rejects the prompt: its score 0.1235 is below the threshold 0.5")
	require.False(t, events.AsError(err).Retryable)
}

func TestStrip(t *testing.T) {
	t.Parallel()
	for before, after := range map[string]string{
		`{"moral_value":0.5}`:                `-`,
		`{"moral_value":null}`:               `-`,
		`{"moral_value":"x","a":"b"}`:        `{"a":"b"}`,
		`{"a":"b"}`:                          `{"a":"b"}`,
		`{ "a" : "b" }`:                      `{ "a" : "b" }`,
		`{}`:                                 `{}`,
		`"moral_value"`:                      `"moral_value"`,
		`[{"moral_value":1}]`:                `[{"moral_value":1}]`,
		`{"a":{"moral_value":1}}`:            `{"a":{"moral_value":1}}`,
		`{"moral_value":1,"z":"<&>","b":""}`: `{"b":"","z":"<&>"}`,
	} {
		extra := map[string]json.RawMessage{"metadata": json.RawMessage(before), "x": json.RawMessage("1")}
		kept := maps.Clone(extra)
		req := &events.ChatRequest{Prompt: "hi", Extra: extra}
		moral.Strip(req)
		if after == "-" {
			require.NotContains(t, req.Extra, "metadata")
		} else {
			require.JSONEq(t, after, string(req.Extra["metadata"]), before)
		}
		require.Equal(t, "1", string(req.Extra["x"]))
		require.Equal(t, kept, extra, "the map that it had is not changed")
	}
	var none events.ChatRequest
	moral.Strip(&none)
	require.Nil(t, none.Extra)
}

// What a request says is judged whole, whoever is said to have said it; images are not, and that is told.
func TestTextOfARequest(t *testing.T) {
	t.Parallel()
	c := newCustom(t, scores(func(string) float64 { return 1 }))
	f := newFilter(t, c.config())
	var req events.ChatRequest
	require.NoError(t, json.Unmarshal([]byte(`{"messages":[
		{"role":"system","content":"one"},
		{"role":"developer","content":"two"},
		{"role":"user","content":[{"type":"text","text":"three"},{"type":"image_url","image_url":{"url":"data:x"}},{"type":"text","text":"four"}]},
		{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"five","arguments":"{\"a\":\"six\"}"}}]},
		{"role":"tool","tool_call_id":"1","content":"seven"}]}`), &req))
	require.NoError(t, f.Prompt(t.Context(), subject(), &req))
	require.Equal(t, []string{"one\n\ntwo\n\nthree\n\nfour\n\nfive\n\n{\"a\":\"six\"}\n\nseven"}, c.texts())

	require.NoError(t, json.Unmarshal([]byte(`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x"}}]}]}`), &req))
	require.NoError(t, f.Prompt(t.Context(), subject(), &req), "there is nothing to judge")
	require.Len(t, c.texts(), 1)

	cfg := c.config()
	cfg.MaxText = 1024
	f = newFilter(t, cfg)
	require.NoError(t, f.Prompt(t.Context(), subject(), prompt(strings.Repeat("x", 1024))))
	err := f.Prompt(t.Context(), subject(), prompt(strings.Repeat("x", 1025)))
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	require.ErrorContains(t, err, "1025")
}
