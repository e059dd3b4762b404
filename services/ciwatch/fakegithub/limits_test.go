package fakegithub_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
)

// answer is one, read to its end.
type answer struct {
	StatusCode int
	Header     http.Header
}

// ask makes a request with some headers, and returns the answer and its body.
func ask(t *testing.T, server *fakegithub.Server, method, path string, header http.Header) (answer, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://api.github.com"+path, http.NoBody)
	require.NoError(t, err)
	req.Header = header.Clone()
	resp, err := server.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp.StatusCode, resp.Header}, string(body)
}

// as is the header of a token.
func as(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

const runsPath = "/repos/neuron7x/mlsdm/actions/runs"

func TestETagsAreMadeAsGitHubMakesThem(t *testing.T) {
	t.Parallel()
	server, err := fakegithub.New(fakegithub.Options{})
	require.NoError(t, err)
	server.AddRun("success")
	header := http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer x"}, "Cookie": {"c"}}
	resp, body := ask(t, server, http.MethodGet, runsPath, header)
	sum := sha256.Sum256([]byte("application/json:Bearer x:c:" + body))
	etag := resp.Header.Get("Etag")
	require.Equal(t, `W/"`+hex.EncodeToString(sum[:])+`"`, etag)
	for given, status := range map[string]int{etag: 304, strings.TrimPrefix(etag, "W/"): 304, `"x"`: 200} {
		header.Set("If-None-Match", given)
		resp, _ = ask(t, server, http.MethodGet, runsPath, header)
		require.Equal(t, status, resp.StatusCode)
	}
	server.AddRun("success")
	header.Set("If-None-Match", etag)
	resp, _ = ask(t, server, http.MethodGet, runsPath, header)
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, err := fakegithub.New(fakegithub.Options{RateLimit: 3, Anonymous: true})
		require.NoError(t, err)
		server.SetTokens("one", "two")
		run := server.AddRun("failure")
		status := func(method, path, token string) int {
			resp, _ := ask(t, server, method, path, as(token))
			return resp.StatusCode
		}
		rerun := runsPath + "/" + "7410000001/rerun"
		require.EqualValues(t, 7410000001, run.ID)
		require.Equal(t, []int{201, 403}, []int{status("POST", rerun, "one"), status("POST", rerun, "one")}, "two writes in a second")
		require.Equal(t, []int{200, 200, 403}, []int{status("GET", runsPath, "one"), status("GET", runsPath, "one"), status("GET", runsPath, "one")})
		require.Equal(t, []int{0, 3}, []int{server.Remaining("one"), server.Remaining("two")})
		require.True(t, server.RotateToken("one", "three"))
		require.False(t, server.RotateToken("one", "four"))
		require.Equal(t, []int{401, 403, 200}, []int{status("GET", runsPath, "one"), status("GET", runsPath, "three"), status("GET", runsPath, "two")})
		resp, body := ask(t, server, http.MethodGet, runsPath, as("three"))
		require.Contains(t, body, "API rate limit exceeded")
		require.Equal(t, []string{"3", "0", "core"}, []string{resp.Header.Get("X-Ratelimit-Limit"), resp.Header.Get("X-Ratelimit-Remaining"), resp.Header.Get("X-Ratelimit-Resource")})
		resp, _ = ask(t, server, http.MethodGet, runsPath, http.Header{})
		require.Equal(t, "59", resp.Header.Get("X-Ratelimit-Remaining"), "who has no token has sixty")
		resp, _ = ask(t, server, http.MethodGet, runsPath, http.Header{"If-None-Match": {resp.Header.Get("Etag")}})
		require.Equal(t, []any{304, "58"}, []any{resp.StatusCode, resp.Header.Get("X-Ratelimit-Remaining")}, "and no 304 is free")
		resp, _ = ask(t, server, http.MethodGet, runsPath, as("two"))
		header := as("two")
		header.Set("If-None-Match", resp.Header.Get("Etag"))
		ask(t, server, http.MethodGet, runsPath, header)
		require.Equal(t, 1, server.Remaining("two"), "with a token it is")
		timer := time.NewTimer(time.Hour)
		<-timer.C
		require.Equal(t, 3, server.Remaining("three"))
		require.Equal(t, 200, status("GET", runsPath, "three"))
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	server, err := fakegithub.New(fakegithub.Options{})
	require.NoError(t, err)
	server.AddRun("failure")
	server.SetFault(func(r *http.Request) (fakegithub.Failure, bool) {
		return fakegithub.Failure{Status: 502, Done: true}, r.Method == http.MethodPost
	})
	resp, _ := ask(t, server, http.MethodPost, runsPath+"/7410000001/rerun-failed-jobs", http.Header{})
	require.Equal(t, http.StatusBadGateway, resp.StatusCode)
	require.Equal(t, "queued", server.Runs()[0].Status, "it was done all the same")
	resp, _ = ask(t, server, http.MethodGet, runsPath, http.Header{})
	require.Equal(t, http.StatusOK, resp.StatusCode)
	server.Heal()
	resp, _ = ask(t, server, http.MethodPost, runsPath+"/7410000001/rerun", http.Header{})
	require.Equal(t, http.StatusForbidden, resp.StatusCode, "it is running")
	require.Len(t, server.Orders(), 2)
}
