package rest_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// zeros are read without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestReadBody(t *testing.T) {
	t.Parallel()
	read := func(status int, body io.Reader) ([]byte, error) {
		return rest.ReadBody(&http.Response{StatusCode: status, Body: io.NopCloser(body)})
	}
	body, err := read(200, strings.NewReader("good"))
	require.NoError(t, err)
	require.Equal(t, "good", string(body))
	body, err = read(201, io.LimitReader(zeros{}, rest.MaxBody))
	require.NoError(t, err)
	require.Len(t, body, rest.MaxBody)
	_, err = read(200, zeros{})
	require.ErrorIs(t, err, rest.ErrBodyTooLarge)
	body, err = read(500, zeros{})
	require.NoError(t, err)
	require.Len(t, body, rest.MaxRefusal)

	lost := errors.New("lost")
	broken := func() io.Reader { return io.MultiReader(strings.NewReader("half"), iotest.ErrReader(lost)) }
	_, err = read(200, broken())
	require.ErrorIs(t, err, lost)
	body, err = read(404, broken())
	require.NoError(t, err, "the status says enough")
	require.Equal(t, "half", string(body))
}

func TestWorse(t *testing.T) {
	t.Parallel()
	lasts, passes := &events.Error{Message: "lasts"}, &events.Error{Message: "passes", Retryable: true}
	require.Same(t, lasts, rest.Worse(nil, lasts))
	require.Same(t, passes, rest.Worse(lasts, passes))
	require.Same(t, passes, rest.Worse(passes, lasts))
	require.Same(t, lasts, rest.Worse(lasts, &events.Error{Message: "another"}))
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, branch := range []string{"a b", "main\nHost: evil", "main\xff", "main\x7f", strings.Repeat("x", rest.MaxBranch+1)} {
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(rest.CheckBranch(branch)), "%q", branch)
	}
	for _, branch := range []string{"", "main", "feature/a&b=c#d%2F", strings.Repeat("x", rest.MaxBranch)} {
		require.NoError(t, rest.CheckBranch(branch))
	}
	for _, name := range []string{"", ".", "..", "a/b", "a%2Fb", "a b", `a\b`, "a?", "a#", "ключ", "a\n"} {
		require.False(t, rest.IsSegment(name), "%q", name)
	}
	require.True(t, rest.IsSegment("A-z_0.9"))
	for _, tag := range []string{"", `"a b"`, "\"a\n\"", `"é"`, strings.Repeat("x", 257)} {
		require.False(t, rest.IsETag(tag), "%q", tag)
	}
	require.True(t, rest.IsETag(`W/"0af"`))
}

func TestSameOrigin(t *testing.T) {
	t.Parallel()
	api := &url.URL{Scheme: "https", Host: "api.github.com"}
	require.True(t, rest.SameOrigin(api, &url.URL{Scheme: "https", Host: "API.github.com", Path: "/x"}))
	require.False(t, rest.SameOrigin(api, &url.URL{Scheme: "http", Host: "api.github.com"}))
	require.False(t, rest.SameOrigin(api, &url.URL{Scheme: "https", Host: "api.github.com:444"}))
}
