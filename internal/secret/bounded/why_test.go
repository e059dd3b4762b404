package bounded_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

const canary = "canary31337"

func TestWhy(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/half":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, canary)
		case "/large":
			_, _ = io.WriteString(w, strings.Repeat(canary, bounded.MaxAnswer/8))
		case "/slow":
			<-r.Context().Done()
		default:
			_, _ = io.WriteString(w, `{"key":"`+canary+`",`+canary)
		}
	}))
	t.Cleanup(plain.Close)
	private := httptest.NewUnstartedServer(http.NotFoundHandler())
	private.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	private.StartTLS()
	t.Cleanup(private.Close)
	raw := listen(t, "HTP/9 "+canary+"\r\n\r\n")

	short, cancel := context.WithTimeout(t.Context(), 1)
	t.Cleanup(cancel)
	for name, test := range map[string]struct {
		ctx  context.Context
		url  string
		want string
	}{
		"nobody there":  {t.Context(), "http://127.0.0.1:1/", "connection refused"},
		"a strange one": {t.Context(), private.URL, "certificate"},
		"no HTTP":       {t.Context(), raw, "cannot be read"},
		"half":          {t.Context(), plain.URL + "/half", "in the middle"},
		"too much":      {t.Context(), plain.URL + "/large", "more than 1048576 bytes"},
		"not in time":   {short, plain.URL + "/slow", "in time"},
		"no JSON":       {t.Context(), plain.URL, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := ask(test.ctx, test.url)
			require.Error(t, err)
			why := bounded.Why(fmt.Errorf("wrapped: %w", err))
			require.Contains(t, why, test.want)
			require.NotContains(t, why, canary)
			require.Less(t, len(why), 400)
		})
	}
	require.Contains(t, bounded.Why(errors.New(canary)), "*errors.errorString")
	require.Contains(t, bounded.Why(&net.DNSError{Name: "vault", Err: "no such host", IsNotFound: true}), "vault")
}

// ask reads a JSON answer.
func ask(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := bounded.Client().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var v map[string]string
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return json.Unmarshal(body, &v)
}

// listen answers every connection with a text, once it has been asked.
func listen(t *testing.T, text string) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}()
	return "http://" + listener.Addr().String() + "/"
}
