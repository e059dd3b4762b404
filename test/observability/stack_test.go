package observability_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/stretchr/testify/require"
)

// patience bounds every wait.
const patience = 2 * time.Minute

// stack is `mlsdmctl up --demo`, with some more to do than its story has.
type stack struct {
	program, bus, admin string
}

// running is the one stack of all tests.
var running = sync.OnceValues(start) //nolint:gochecknoglobals // building and starting it takes longer than all tests

// stopAll ends what was started.
var stopAll []func() //nolint:gochecknoglobals // for TestMain

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range stopAll {
		stop()
	}
	os.Exit(code)
}

// root returns the root of the repository.
func root() (string, error) { return filepath.Abs(filepath.Join("..", "..")) }

// start builds mlsdmctl, and runs a stack whose demo has been told to the end.
func start() (*stack, error) {
	dir, err := os.MkdirTemp("", "mlsdm-observability-")
	if err != nil {
		return nil, err
	}
	stopAll = append(stopAll, func() { _ = os.RemoveAll(dir) }) // a temporary folder: what is left of it goes with the others
	at, err := root()
	if err != nil {
		return nil, err
	}
	s := &stack{program: filepath.Join(dir, "mlsdmctl")}
	build := exec.Command("go", "build", "-o", s.program, "./cmd/mlsdmctl")
	build.Dir = at
	build.Env = append(os.Environ(), "GOWORK=")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, &failure{"building mlsdmctl", err, string(out)}
	}
	redis, err := miniredis.Run()
	if err != nil {
		return nil, err
	}
	stopAll = append(stopAll, redis.Close)
	config := filepath.Join(dir, "generator.yaml")
	const prices = "prices: {version: test, currency: USD, models: {\"local/*\": {input: 1, output: 1}}}\n"
	if err := os.WriteFile(config, []byte(prices), 0o600); err != nil {
		return nil, err
	}
	up := exec.Command(s.program, "up", "--demo", "--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--log-level", "error")
	up.Env = append(os.Environ(), "REDIS_HOST="+redis.Host(), "REDIS_PORT="+redis.Port(), "GENERATOR_CONFIG="+config, "MLSDM_MEMORY_LIMIT=4GiB",
		"GITHUB_WEBHOOK_SECRET=It is a Secret to Everybody, and long", "CI_WEBHOOK_ADDR=127.0.0.1:0", "TMPDIR="+dir,
		"SECRETD_ALLOW=test_secret", "TEST_SECRET=x")
	out, err := up.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var errs strings.Builder
	up.Stderr = &errs
	if err := up.Start(); err != nil {
		return nil, err
	}
	stopAll = append(stopAll, func() {
		_ = up.Process.Signal(os.Interrupt) // it may have ended
		_ = up.Wait()
	})
	said, err := until(out, `that was the story`)
	if err != nil {
		return nil, &failure{"mlsdmctl up", err, said + errs.String()}
	}
	s.bus = regexp.MustCompile(`nats://127\.0\.0\.1:\d+`).FindString(said)
	s.admin = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(regexp.MustCompile(`(?m)^.*\badmin\b.*$`).FindString(said))
	return s, nil
}

// failure is an error with what a program wrote.
type failure struct {
	what string
	err  error
	out  string
}

func (f *failure) Error() string { return f.what + ": " + f.err.Error() + "\n" + f.out }
func (f *failure) Unwrap() error { return f.err }

// until reads until a line matches, and goes on reading in the background.
func until(out io.Reader, pattern string) (string, error) {
	wanted := regexp.MustCompile(pattern)
	type result struct {
		said string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		var said strings.Builder
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			said.WriteString(lines.Text() + "\n")
			if wanted.MatchString(lines.Text()) {
				done <- result{said.String(), nil}
				_, _ = io.Copy(io.Discard, out) // until the program ends
				return
			}
		}
		done <- result{said.String(), io.ErrUnexpectedEOF}
	}()
	select {
	case r := <-done:
		return r.said, r.err
	case <-time.After(patience):
		return "", context.DeadlineExceeded
	}
}

// mlsdmctl runs one command to its end.
func (s *stack) mlsdmctl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), s.program, args...)
	c.Env = append(os.Environ(), "NATS_URL="+s.bus)
	out, err := c.CombinedOutput()
	return string(out), err
}

// series are what a scrape has: of each series its labels.
type series map[string][]labels.Labels

// scrape reads /metrics as Prometheus does, in OpenMetrics.
func (s *stack) scrape(t *testing.T) series {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.admin+"/metrics", http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;charset=utf-8")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Contains(t, resp.Header.Get("Content-Type"), "application/openmetrics-text")
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	p, err := textparse.New(body, resp.Header.Get("Content-Type"), labels.NewSymbolTable(), textparse.ParserOptions{})
	require.NoError(t, err)
	found := make(series)
	for {
		entry, err := p.Next()
		if err == io.EOF { //nolint:errorlint // as the parser documents it
			return found
		}
		require.NoError(t, err)
		if entry != textparse.EntrySeries {
			continue
		}
		var of labels.Labels
		p.Labels(&of)
		found[of.Get(labels.MetricName)] = append(found[of.Get(labels.MetricName)], of)
	}
}
