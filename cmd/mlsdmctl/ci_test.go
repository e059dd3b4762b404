package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// cannedStatus is the health of three workflows.
func cannedStatus() events.CIStatus {
	good := &events.CIRun{
		Repository: "acme/app", Workflow: "CI", Branch: "main", RunID: 840, RunAttempt: 1, Conclusion: "success",
		HeadSHA: "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d", CompletedAt: ciMoment(3*time.Hour + 5*time.Minute + 30*time.Second),
	}
	return events.CIStatus{
		Repositories: 2, LastPollAt: ciMoment(90 * time.Second), LastError: "acme/lib: the forge answered 502",
		Workflows: []events.CIWorkflowStatus{
			{
				Forge: "github", Repository: "acme/app", Workflow: "CI", Branch: "main", Health: events.CIDegradedHealth, ConsecutiveFailures: 4,
				Since: ciMoment(12*time.Minute + 30*time.Second), LastGood: good, Recovery: "rerun of run 842: asked (3 failures in a row)",
				Flaky: []events.CIFlakyJob{{Name: "unit", Rate: .05}, {Name: "test (1.26, linux)", Rate: .125}},
			},
			{Forge: "github", Repository: "acme/app", Workflow: "Deploy", Branch: "main", PullRequests: true, Health: events.CIHealthy, Since: ciMoment(75 * time.Hour)},
			{Forge: "github", Repository: "acme/lib", Workflow: "CI", Branch: "dev", Health: events.CIUnknown},
		},
		Quotas: []events.CIQuota{{
			Forge: "github", Credential: "token 1", Limit: 5000, Remaining: 4321, ResetAt: ciMoment(-30*time.Minute - 30*time.Second),
			Budget: 4000, Spent: 1120, At: ciMoment(5*time.Minute + 10*time.Second),
		}},
	}
}

func TestCIStatusPrinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, printCIStatus(&out, false, events.CIStatusRequest{}, cannedStatus(), ciNow()))
	require.Equal(t, []string{
		`REPOSITORY  WORKFLOW  BRANCH                STATE     STREAK    SINCE    LAST GOOD           FLAKY                      RECOVERY`,
		`acme/app    CI        main                  degraded  4 failed  12m ago  1a2b3c4, 3h05m ago  test (1.26, linux) 12% +1  rerun of run 842: asked (3 failures in a row)`,
		`acme/app    Deploy    main (pull requests)  healthy   -         3d ago   -                   -                          -`,
		`acme/lib    CI        dev                   unknown   -         -        -                   -                          -`,
		``,
		`FORGE   CREDENTIAL  LEFT            RESETS  SPENT OF BUDGET  AS OF`,
		`github  token 1     4,321 of 5,000  in 30m  1,120 of 4,000   5m ago`,
		`2 repositories are watched; last poll 1m ago`,
		`the last poll failed: acme/lib: the forge answered 502`,
	}, strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n"))
}

func TestCIStatus(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	f.say(t, events.OpCIStatus, cannedStatus())
	f.say(t, events.OpCICheck, cannedStatus())
	for _, args := range [][]string{{}, {"status"}, {"check"}} {
		out, errs, code := f.ctl(t, args...)
		require.Zero(t, code, errs)
		require.Empty(t, errs)
		require.Regexp(t, `(?m)^acme/app    CI        main                  degraded  4 failed  `, out)
		require.Contains(t, out, "the last poll failed: acme/lib: the forge answered 502\n")
	}
	require.Len(t, f.questions(events.OpCIStatus), 2)
	require.Len(t, f.questions(events.OpCICheck), 1)
}

// What the flags choose is asked for.
func TestCIStatusRequest(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	f.say(t, events.OpCIStatus, events.CIStatus{Workflows: []events.CIWorkflowStatus{}})
	f.say(t, events.OpCICheck, events.CIStatus{Workflows: []events.CIWorkflowStatus{}})
	out, errs, code := f.ctl(t, "acme/app", "--workflow", "ci.yml", "--branch", "release/1", "--health", "stale", "--forge", "github")
	require.Zero(t, code, errs)
	require.Contains(t, out, "no workflow like that was seen")
	out, errs, code = f.ctl(t, "status", "gitlab:group/sub/app")
	require.Zero(t, code, errs)
	require.Contains(t, out, "no workflow like that was seen")
	require.Contains(t, out, "nothing is known of a poll of this one")
	out, errs, code = f.ctl(t)
	require.Zero(t, code, errs)
	require.Equal(t, "no run was seen yet\n\n0 repositories are watched; no forge has answered yet\n", out)
	require.Equal(t, []string{
		`{"forge":"github","repository":"acme/app","workflow":"ci.yml","branch":"release/1","health":"stale"}`,
		`{"forge":"gitlab","repository":"group/sub/app"}`, `{}`,
	}, f.questions(events.OpCIStatus))
	_, errs, code = f.ctl(t, "check", "acme/app", "--branch", "main")
	require.Zero(t, code, errs)
	require.Equal(t, []string{`{"repository":"acme/app","branch":"main"}`}, f.questions(events.OpCICheck))
}

// Where there are several forges, each line says which.
func TestCIStatusOfSeveralForges(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	status := cannedStatus()
	status.Workflows[2].Forge, status.Workflows[2].Repository = "gitlab", "group/sub/app"
	status.More, status.Repositories, status.LastError = 1234, 1, ""
	f.say(t, events.OpCIStatus, status)
	out, errs, code := f.ctl(t)
	require.Zero(t, code, errs)
	require.Contains(t, out, "\ngithub:acme/app ")
	require.Contains(t, out, "\ngitlab:group/sub/app ")
	require.Contains(t, out, "1,234 more are not shown")
	require.Contains(t, out, "one repository is watched; ")
	require.Regexp(t, `4,321 of 5,000 +now`, out)
	require.NotContains(t, out, "failed:")
}

// Machines are given what came, known here or not.
func TestCIJSON(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	status := `{"repository":"","workflows":[{"workflow":"a<b & \"c\"","branch":"main","health":"healthy","consecutive_failures":0,"new_field":[1.50]}],"another":null}`
	history := `{"runs":[],"later":{"x":1e3}}`
	recovered := `{"recovery":{"id":"r1","action":"rerun","state":"asked","news":true}}`
	f.mu.Lock()
	f.replies[events.OpCIStatus], f.replies[events.OpCICheck] = status, status
	f.replies[events.OpCIHistory], f.replies[events.OpCIRecover] = history, recovered
	f.mu.Unlock()
	for args, want := range map[string]string{
		"status --json": status, "check --json": status, "history acme/app --json": history, "recover acme/app --json --yes": recovered,
		"recover acme/app --json --dry-run": recovered,
	} {
		out, errs, code := f.ctl(t, strings.Fields(args)...)
		require.Zero(t, code, errs)
		require.Equal(t, want+"\n", out, args)
	}
}

// Names are anybody's who may push a branch.
func TestCIHostile(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	run := &events.CIRun{HeadSHA: "\x1b[31m\u202e", RunID: 1, CompletedAt: ciMoment(time.Hour)}
	status := events.CIStatus{
		Repository: hostileText, LastError: hostileText, Repositories: 1,
		Workflows: []events.CIWorkflowStatus{{
			Forge: hostileText, Repository: hostileText, Workflow: hostileText, Branch: hostileText, Health: hostileText, Recovery: hostileText,
			LastGood: run, Flaky: []events.CIFlakyJob{{Name: hostileText, Rate: 1}}, Stats: &events.CIStats{Runs: 1},
		}},
		Quotas: []events.CIQuota{{Forge: hostileText, Credential: hostileText, Limit: -1, Remaining: -1234567}},
	}
	recovery := events.CIRecovery{
		ID: hostileText, Workflow: hostileText, Branch: hostileText, Action: hostileText, Rule: hostileText,
		State: hostileText, Reason: hostileText, HeadSHA: hostileText,
	}
	history := events.CIHistory{
		Runs: []events.CIPastRun{{
			Workflow: hostileText, Branch: hostileText, Result: hostileText, HeadSHA: hostileText, URL: hostileText,
			FailedJobs: []string{hostileText, hostileText}, RunSeconds: 1e300, QueueSeconds: -1,
		}},
		Recoveries: []events.CIRecovery{recovery},
		Days:       []events.CIDay{{Day: hostileText, Workflow: hostileText, Branch: hostileText, Runs: 2, Failed: 7}},
	}
	f.say(t, events.OpCIStatus, status)
	f.say(t, events.OpCIHistory, history)
	f.say(t, events.OpCIRecover, events.CIRecoverReply{Recovery: &recovery, WhyNot: hostileText})
	for _, args := range []string{"status", "history a/b", "recover a/b --dry-run", "recover a/b --yes"} {
		for _, more := range []string{"", " --json"} {
			out, errs, code := f.ctl(t, strings.Fields(args+more)...)
			require.Zero(t, code, errs)
			require.NotEmpty(t, out)
			requireTame(t, strings.NewReplacer(`\u202e`, "", "\u202e", "", "\u200b", "").Replace(errs))
			if more == "" {
				requireTame(t, out)
				require.Contains(t, out, "ev[31mil]0;title gnp")
			} else {
				require.NotContains(t, out, "\x1b")
				require.NotContains(t, out, "\u009b")
			}
		}
	}
	for _, operation := range []string{events.OpCIStatus, events.OpCIHistory, events.OpCIRecover} {
		f.refuse(operation, events.Errorf(events.CodeNotFound, "%s", hostileText))
	}
	for _, args := range []string{"status", "history a/b", "recover a/b --yes"} {
		_, errs, code := f.ctl(t, strings.Fields(args)...)
		require.Equal(t, 1, code)
		require.NotContains(t, errs, "\x1b")
	}
}

func TestCIWrongInput(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	f.refuse(events.OpCIStatus, events.Errorf(events.CodeInternal, "it was asked"))
	for args, want := range map[string]string{
		"histry":                              `"histry" is neither a repository, which is owner/name, nor a command`,
		"status --health ill":                 "--health must be one of",
		"check a b":                           "unexpected argument b",
		"status github:a/b --forge x":         `--forge is "x"`,
		"status a/b --branch " + long(256):    "branch",
		"history":                             "expected \"<repo>\"",
		"history x":                           "neither a repository",
		"history a/b --limit 0":               "--limit is 0; it must be 1 to 1000",
		"history a/b --limit 1001":            "limit",
		"history a/b --workflow " + long(257): "workflow",
		"recover a/b":                         "nobody can be asked, as the standard input is no terminal",
		"recover":                             "expected \"<repo>\"",
		"recover github: --yes":               "repository",
		"recover a/" + long(512) + " --yes":   "repository",
		"webhook-secret --forge svn":          "--forge must be one of",
		"webhook-secret x":                    "unexpected argument x",
	} {
		out, errs, code := f.ctl(t, strings.Fields(args)...)
		require.Equal(t, 2, code, "%s: %s", args, errs)
		require.Contains(t, errs, want, args)
		require.Empty(t, out)
	}
	for _, operation := range []string{events.OpCIStatus, events.OpCICheck, events.OpCIHistory, events.OpCIRecover} {
		require.Empty(t, f.questions(operation))
	}
}

func long(n int) string { return strings.Repeat("x", n) }

// What does not answer as it should is an error that says so.
func TestCIFailures(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	f.refuse(events.OpCIStatus, events.Errorf(events.CodeFailedPrecondition, "no repository is configured: set GITHUB_REPOSITORY to owner/name"))
	_, errs, code := f.ctl(t)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "GITHUB_REPOSITORY")
	f.say(t, events.OpCIStatus, []int{1})
	_, errs, code = f.ctl(t)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "the answer of ci.status cannot be read")
}

func TestCIColours(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	f.say(t, events.OpCIStatus, cannedStatus())
	show := func(env map[string]string) string {
		out := screen()
		var errs bytes.Buffer
		code := run(t.Context(), []string{"--server", f.URL(), "ci"}, terminal{in: strings.NewReader(""), out: out, err: &errs, lookup: func(name string) (string, bool) {
			value, ok := env[name]
			return value, ok
		}})
		require.Zero(t, code, errs.String())
		return out.String()
	}
	colourful := show(nil)
	require.Contains(t, colourful, "\x1b[31mdegraded\x1b[0m  \x1b[31m4 failed\x1b[0m  ")
	require.Contains(t, colourful, "\x1b[32mhealthy\x1b[0m   -  ")
	for _, env := range []map[string]string{{"NO_COLOR": "1"}, {"TERM": "dumb"}} {
		require.NotContains(t, show(env), "\x1b")
	}
	require.Equal(t, colourful, show(map[string]string{"NO_COLOR": "", "TERM": "xterm"}))
	health := map[string]bool{}
	for _, word := range []string{events.CIHealthy, events.CIFailing, events.CIDegradedHealth, events.CIRecovering, events.CIStaleHealth, events.CIUnknown} {
		health[healthCell(word).colour] = true
	}
	require.Len(t, health, 6, "each has a colour of its own")
}

func TestCIHelp(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"", "status", "check", "history", "recover", "webhook-secret"} {
		out, errs, code := atNoServer(t, append([]string{"ci"}, append(strings.Fields(command), "--help")...)...)
		require.Zero(t, code, errs)
		require.Contains(t, out, "  mlsdmctl ci "+command, "examples of %q", command)
	}
	for typed, want := range map[string]string{
		"ci rec": "recover", "ci status --wa": "--watch", "ci history --lim": "--limit", "ci webhook-secret --fo": "--forge", "ci check --he": "--health --help",
	} {
		line := script(t, "bash") + "\nCOMP_WORDS=(mlsdmctl " + typed + "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _mlsdmctl; printf '%s\\n' \"${COMPREPLY[@]}\" | sort"
		got, err := exec.CommandContext(t.Context(), "bash", "--norc", "-c", line).CombinedOutput()
		require.NoError(t, err, "%s", got)
		require.Equal(t, want, strings.Join(strings.Fields(string(got)), " "), typed)
	}
	fish := script(t, "fish")
	require.Contains(t, fish, `complete -c mlsdmctl -n '__mlsdmctl_at \'ci\'' -a history -d `)
	require.Contains(t, fish, `complete -c mlsdmctl -n '__mlsdmctl_at \'ci recover\'' -l dry-run -d `)
}

// atNoServer runs a command that needs none.
func atNoServer(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	code, out, errs = ctl(t.Context(), nil, "", args...)
	return out, errs, code
}

func TestSpans(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Hour: "0s", 0: "0s", 59 * time.Second: "59s", time.Minute: "1m", time.Hour - 1: "59m", time.Hour: "1h00m", 47*time.Hour + 59*time.Minute: "47h59m",
		48 * time.Hour: "2d", 1<<63 - 1: "106751d",
	} {
		require.Equal(t, want, span(d))
	}
	for seconds, want := range map[float64]string{0: "", -1: "", .01: "<1s", 1.4: "1s", 61: "1m1s", 3600: "1h00m", 1e300: "11574d"} {
		require.Equal(t, want, lasting(seconds))
	}
	require.Equal(t, "-", orDash(ago(time.Now(), time.Time{})))
}

func TestTable(t *testing.T) {
	t.Parallel()
	tb := &table{titles: []string{"A", "EMPTY", "C"}}
	tb.row(plainCells("ä", "", strings.Repeat("z", 3*maxCell))...)
	tb.row(plainCells("longer", "", "")...)
	var out bytes.Buffer
	require.NoError(t, tb.write(&out, true))
	require.Equal(t, "A       C\nä       "+strings.Repeat("z", maxCell-1)+"…\nlonger  -\n", out.String())
}

// decodeLines reads JSON, a value a line.
func decodeLines[T any](t *testing.T, text string) []T {
	t.Helper()
	var values []T
	for _, line := range lines(text) {
		var value T
		require.NoError(t, json.Unmarshal([]byte(line), &value))
		values = append(values, value)
	}
	return values
}
