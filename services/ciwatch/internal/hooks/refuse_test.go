package hooks_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/hooks"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	const largest = 64 << 10
	s := open(t, func(c *hooks.Config) {
		c.Bounds.Body = largest
		c.Accepts = func(forgeName, repository string) bool { return forgeName == "github" && repository == "o/r" }
	})
	sign := func(event, body string) http.Header { return signed(event, "d-1", body) }
	edit := func(event, body string, edit func(http.Header)) http.Header {
		h := sign(event, body)
		edit(h)
		return h
	}
	sha1Only := func(h http.Header) {
		mac := hmac.New(sha1.New, []byte(key))
		mac.Write([]byte(run))
		h["X-Hub-Signature"] = []string{"sha1=" + hex.EncodeToString(mac.Sum(nil))}
		delete(h, "X-Hub-Signature-256")
	}
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	_, err := zip.Write([]byte(run))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	large := func(size int) string { return run + strings.Repeat(" ", size-len(run)) }

	const unsigned = 401
	for name, test := range map[string]struct {
		method, path string
		header       http.Header
		body         string
		status       int
		says         string
	}{
		"a run":              {header: sign("workflow_run", run), body: run, status: 202, says: `{"accepted":1}`},
		"another path":       {path: "/acme/webhooks", header: sign("workflow_run", run), body: run, status: 202, says: `{"accepted":1}`},
		"ping":               {header: sign("ping", `{}`), body: `{}`, status: 200, says: `{"accepted":0}`},
		"another event":      {header: sign("push", `[1]`), body: `[1]`, status: 202, says: `{"accepted":0}`},
		"another repository": {header: sign("workflow_run", strings.ReplaceAll(run, "o/r", "o/x")), body: strings.ReplaceAll(run, "o/r", "o/x"), status: 202, says: `{"accepted":0}`},
		"JSON in UTF-8":      {header: edit("workflow_run", run, func(h http.Header) { h.Set("Content-Type", `Application/JSON; charset="UTF-8"`) }), body: run, status: 202},
		"upper-case hex": {header: edit("workflow_run", run, func(h http.Header) {
			h.Set(github.HeaderSignature, "sha256="+strings.ToUpper(h.Get(github.HeaderSignature)[7:]))
		}), body: run, status: 202},
		"as large as it gets": {header: sign("workflow_run", large(largest)), body: large(largest), status: 202, says: `{"accepted":1}`},

		"no JSON":            {header: sign("workflow_run", "run=1"), body: "run=1", status: 400, says: "documents"},
		"half of it":         {header: sign("workflow_run", run[:50]), body: run[:50], status: 400, says: "documents"},
		"nothing":            {header: sign("workflow_run", ""), status: 400, says: "documents"},
		"wrong type":         {header: sign("workflow_run", `{"action":1}`), body: `{"action":1}`, status: 400, says: "documents"},
		"list":               {header: sign("workflow_run", `[]`), body: `[]`, status: 400},
		"no delivery":        {header: edit("workflow_run", run, func(h http.Header) { h.Del(github.HeaderDelivery) }), body: run, status: 400, says: "delivery"},
		"two deliveries":     {header: edit("workflow_run", run, func(h http.Header) { h.Add(github.HeaderDelivery, "d-2") }), body: run, status: 400, says: "delivery"},
		"delivery with more": {header: signed("workflow_run", "d/1", run), body: run, status: 400, says: "delivery"},
		"long delivery":      {header: signed("workflow_run", strings.Repeat("d", 101), run), body: run, status: 400, says: "delivery"},
		"no event":           {header: edit("workflow_run", run, func(h http.Header) { h.Del(github.HeaderEvent) }), body: run, status: 400, says: "event"},
		"two events":         {header: edit("workflow_run", run, func(h http.Header) { h.Add(github.HeaderEvent, "ping") }), body: run, status: 400, says: "event"},
		"odd event":          {header: signed("workflow_run\t", "d-1", run), body: run, status: 202}, // net/http trims it
		"event with more":    {header: signed("work*flow", "d-1", run), body: run, status: 400, says: "event"},

		"no signature":    {header: edit("workflow_run", run, func(h http.Header) { h.Del(github.HeaderSignature) }), body: run, status: unsigned},
		"empty signature": {header: edit("workflow_run", run, func(h http.Header) { h.Set(github.HeaderSignature, "") }), body: run, status: unsigned},
		"two signatures":  {header: edit("workflow_run", run, func(h http.Header) { h.Add(github.HeaderSignature, h.Get(github.HeaderSignature)) }), body: run, status: unsigned},
		"SHA-1 alone":     {header: edit("workflow_run", run, sha1Only), body: run, status: unsigned},
		"forged":          {header: fakegithub.Sign("workflow_run", "d-1", "a guess", []byte(run)), body: run, status: unsigned},
		"empty key":       {header: fakegithub.Sign("workflow_run", "d-1", "", []byte(run)), body: run, status: unsigned},
		"changed":         {header: sign("workflow_run", run), body: run + " ", status: unsigned},
		"no JSON, forged": {header: fakegithub.Sign("workflow_run", "", "a guess", []byte("{")), body: "{", status: unsigned},
		"unknown path":    {path: "/github", header: sign("workflow_run", run), body: run, status: 404},
		"path with more":  {path: path + "/", header: sign("workflow_run", run), body: run, status: 404},
		"get":             {method: http.MethodGet, header: http.Header{}, status: 405},
		"put":             {method: http.MethodPut, header: sign("workflow_run", run), body: run, status: 405},
		"options":         {method: http.MethodOptions, header: http.Header{}, status: 405},
		"form":            {header: edit("workflow_run", run, func(h http.Header) { h.Set("Content-Type", "application/x-www-form-urlencoded") }), body: "payload=" + run, status: 415, says: "application/json"},
		"no type":         {header: edit("workflow_run", run, func(h http.Header) { h.Del("Content-Type") }), body: run, status: 415},
		"two types":       {header: edit("workflow_run", run, func(h http.Header) { h.Add("Content-Type", "application/json") }), body: run, status: 415},
		"another charset": {header: edit("workflow_run", run, func(h http.Header) { h.Set("Content-Type", "application/json; charset=utf-16") }), body: run, status: 415},
		"compressed":      {header: edit("workflow_run", zipped.String(), func(h http.Header) { h.Set("Content-Encoding", "gzip") }), body: zipped.String(), status: 415},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.method == "" {
				test.method = http.MethodPost
			}
			if test.path == "" {
				test.path = path
			}
			got, err := s.send(t.Context(), test.method, test.path, test.header, strings.NewReader(test.body))
			require.NoError(t, err)
			require.Equal(t, test.status, got.status, got.body)
			require.Contains(t, got.body, test.says)
			require.Equal(t, "application/json", got.header.Get("Content-Type"))
			require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
			require.Empty(t, got.header.Get("Server"))
			require.NotContains(t, got.body, "o/r")
			switch test.status {
			case unsigned:
				require.JSONEq(t, `{"error":"the signature is missing, or not made with a secret that is known here"}`, got.body)
			case http.StatusMethodNotAllowed:
				require.Equal(t, "POST", got.header.Get("Allow"))
			}
		})
	}
}

func TestWhatIsStored(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	for range 3 { // a replay counts as stored
		require.Equal(t, 202, s.post(t, signed("workflow_run", "72d3162e-cc78-11e3-81ab-4c9367dc0958", run), run).status)
	}
	require.Equal(t, 202, s.post(t, signed("workflow_run", "another", run), run).status)
	require.Equal(t, 2, s.count())
	require.Equal(t, 2, s.repeats)
	got, ok := s.stored["github/72d3162e-cc78-11e3-81ab-4c9367dc0958/0"]
	require.True(t, ok, s.stored)
	require.Equal(t, "github", got.Forge)
	require.Equal(t, "o/r", got.Repository)
	require.Equal(t, int64(1), got.Run.ID)
	require.NotZero(t, got.At)
	require.Equal(t, map[string]int{"workflow_run accepted": 4}, s.outcomes(t))
}

// rotating is a secret that changes while the service runs.
type rotating struct{ now atomic.Value }

func (r *rotating) Current() string {
	text, _ := r.now.Load().(string)
	return text
}

func (*rotating) Renew(context.Context, string) {}

func TestSecretsRotate(t *testing.T) {
	t.Parallel()
	live := &rotating{}
	live.now.Store("first")
	s := open(t, func(c *hooks.Config) {
		c.Sources = map[string]hooks.Source{path: fromGitHub(secret.Live(live), secret.NewValue("old"))}
	})
	status := func(key string) int {
		return s.post(t, fakegithub.Sign("workflow_run", "d-"+key, key, []byte(run)), run).status
	}
	require.Equal(t, []int{202, 401, 202}, []int{status("first"), status("second"), status("old")})
	live.now.Store("second")
	require.Equal(t, []int{401, 202, 202}, []int{status("first"), status("second"), status("old")})
}

func TestTokensAreLookedAtBeforeTheBody(t *testing.T) {
	t.Parallel()
	s := open(t, func(c *hooks.Config) {
		source := fromGitHub()
		source.Credential, source.Delivery = "X-Gitlab-Token", []string{"Idempotency-Key", "X-Gitlab-Event-UUID"}
		source.Glance = func(credential string) bool { return credential == "token" }
		source.Verify = func(h http.Header, _ []byte) bool { return h.Get("X-Gitlab-Token") == "token" }
		c.Sources = map[string]hooks.Source{path: source}
	})
	header := func(token string) http.Header {
		return http.Header{"Content-Type": {"application/json"}, "X-Gitlab-Token": {token}, "X-Github-Event": {"workflow_run"}, "X-Gitlab-Event-Uuid": {"u-1"}}
	}
	w := s.dial(t)
	w.say(t, head(header("guess"), 1<<20))
	got := w.hear(t)
	require.Equal(t, 401, got.status)
	require.True(t, got.close)
	require.Equal(t, 202, s.post(t, header("token"), run).status)
	h := header("token")
	h.Set("Idempotency-Key", "i-1")
	require.Equal(t, 202, s.post(t, h, run).status)
	require.Contains(t, s.stored, "github/u-1/0")
	require.Contains(t, s.stored, "github/i-1/0")
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	t.Parallel()
	good := func() hooks.Config {
		return hooks.Config{Sources: map[string]hooks.Source{path: fromGitHub()}, Publish: (&stage{}).publish}
	}
	for name, edit := range map[string]func(*hooks.Config){
		"no publish":      func(c *hooks.Config) { c.Publish = nil },
		"no source":       func(c *hooks.Config) { c.Sources = nil },
		"no path":         func(c *hooks.Config) { c.Sources = map[string]hooks.Source{"github": fromGitHub()} },
		"half a source":   func(c *hooks.Config) { c.Sources = map[string]hooks.Source{path: {Forge: "github"}} },
		"negative bound":  func(c *hooks.Config) { c.Bounds.Work = -1 },
		"negative time":   func(c *hooks.Config) { c.Bounds.Grace = -1 },
		"memory too much": func(c *hooks.Config) { c.Bounds.Large = 1 << 30 },
	} {
		c := good()
		edit(&c)
		_, err := hooks.New(c)
		require.Error(t, err, name)
	}
	_, err := hooks.New(good())
	require.NoError(t, err)

	s := open(t, nil)
	taken := good()
	taken.Addr = s.addr
	door, err := hooks.New(taken)
	require.NoError(t, err)
	require.ErrorContains(t, door.Run(t.Context()), "in use by another process")
}
