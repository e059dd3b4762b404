package wire_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

func TestRead(t *testing.T) {
	t.Parallel()
	own := &llm.Fault{Class: llm.ClassUnsupported, Err: llm.Refuse("acme", "own")}
	for name, c := range map[string]struct {
		reply *reply
		read  func(io.Reader) error
		class llm.Class
		says  string
	}{
		"good":             {says(`{"a":1}`), nil, "", ""},
		"just fits":        {says(strings.Repeat(" ", 2048)), nil, "", ""},
		"not taken":        {says(`{"a":1}`), func(io.Reader) error { return errors.New("no") }, llm.ClassAnswer, "bad answer: no"},
		"a fault":          {says(`{"a":1}`), func(io.Reader) error { return own }, llm.ClassUnsupported, "own"},
		"too large":        {says(strings.Repeat(" ", 2049)), nil, llm.ClassAnswer, "larger than 2 KiB"},
		"said too large":   {&reply{body: strings.NewReader(""), length: 1 << 40}, nil, llm.ClassAnswer, "larger than 2 KiB"},
		"endless":          {&reply{body: &endless{}}, nil, llm.ClassAnswer, "larger than 2 KiB"},
		"broken":           {&reply{body: &half{strings.NewReader("[1"), io.ErrUnexpectedEOF}}, nil, llm.ClassNetwork, "the connection broke"},
		"not there at all": {&reply{err: errors.New("no route")}, nil, llm.ClassNetwork, ""},
		"a page":           {&reply{header: http.Header{"Content-Type": {"text/html"}}}, nil, llm.ClassAnswer, "content type"},
		"an error":         {&reply{status: 429, body: strings.NewReader(`{"error":"slow"}`)}, nil, llm.ClassLimit, "slow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read := c.read
			if read == nil {
				read = func(r io.Reader) error {
					_, err := io.Copy(io.Discard, r)
					return err
				}
			}
			heard := false
			request := wire.Request{Path: "/x", Body: []byte("{}"), Key: secret.NewValue(apiKey), Heard: func(http.Header) { heard = true }}
			err := c.reply.server(t, wire.Config{}).Read(t.Context(), request, 2048, read)
			if c.class == "" {
				require.NoError(t, err)
				require.True(t, heard)
				require.True(t, c.reply.closed)
				return
			}
			fault := failed(t, err)
			require.Equal(t, c.class, fault.Class)
			require.ErrorContains(t, fault, c.says)
			if c.reply.err == nil {
				require.True(t, c.reply.closed)
			}
		})
	}
	late := &llm.Fault{Class: llm.ClassTimeout, Err: llm.Unavailable("acme", "late")}
	broken := &reply{body: &half{strings.NewReader("["), io.ErrUnexpectedEOF}}
	err := broken.server(t, wire.Config{}).Read(ended(t, late), wire.Request{Path: "/x", Body: []byte("{}")}, 2048,
		func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
	require.Equal(t, error(late), err, "who ended the context says why")
}
