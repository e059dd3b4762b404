package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// asked is a recovery that was asked for.
func askedRecovery() *events.CIRecovery {
	return &events.CIRecovery{
		ID: "R1", Workflow: "CI", Branch: "main", Action: "rerun_failed_jobs", Rule: "main branches", State: events.CIRecoveryAsked,
		Reason: "asked for by a person", RunID: 842, RunAttempt: 1, HeadSHA: "1a2b3c4d5e",
	}
}

func TestCIRecover(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	f.say(t, events.OpCIRecover, events.CIRecoverReply{Recovery: askedRecovery()})
	out, errs, code := f.ctl(t, "recover", "acme/app", "--workflow", "ci.yml", "--branch", "main", "--yes")
	require.Zero(t, code, errs)
	require.Equal(t, []string{
		"what    run the failed jobs of run 842 again, CI on main",
		"commit  1a2b3c4",
		"rule    main branches",
		"why     asked for by a person",
		"id      R1",
		"state   asked",
	}, lines(out))
	require.Contains(t, errs, "mlsdmctl ci history")
	require.Equal(t, []string{`{"repository":"acme/app","workflow":"ci.yml","branch":"main"}`}, f.questions(events.OpCIRecover))
}

func TestCIRecoverDryRun(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	would := askedRecovery()
	would.ID, would.State = "", events.CIRecoveryDryRun
	f.say(t, events.OpCIRecover, events.CIRecoverReply{Recovery: would, WhyNot: "it was only asked what would be done"})
	out, errs, code := f.ctl(t, "recover", "github:acme/app", "--dry-run")
	require.Zero(t, code, errs)
	require.Contains(t, out, "state   dry_run: it was only asked what would be done\n")
	require.NotContains(t, out, "id ")
	require.Equal(t, []string{`{"repository":"acme/app","forge":"github","dry_run":true}`}, f.questions(events.OpCIRecover))

	f.say(t, events.OpCIRecover, events.CIRecoverReply{WhyNot: "health is not degraded"})
	out, errs, code = f.ctl(t, "recover", "acme/app", "--dry-run")
	require.Zero(t, code, errs)
	require.Equal(t, "nothing is done: health is not degraded\n", out)
}

// What was to be done and was not is a failure, for scripts.
func TestCIRecoverDoesNothing(t *testing.T) {
	t.Parallel()
	f := startCI(t)
	dry, refused := askedRecovery(), askedRecovery()
	dry.State = events.CIRecoveryDryRun
	refused.State, refused.Reason = events.CIRecoveryRefused, "the token may not do this; it needs actions:write"
	for want, reply := range map[string]events.CIRecoverReply{
		`nothing was done: the rule "x" is a dry run`: {Recovery: dry, WhyNot: `the rule "x" is a dry run`},
		"nothing was done: the run is a fork's":       {WhyNot: "the run is a fork's"},
		"nothing was done: it was not said why":       {},
		"it was refused: the token may not do this":   {Recovery: refused},
	} {
		f.say(t, events.OpCIRecover, reply)
		out, errs, code := f.ctl(t, "recover", "acme/app", "-y")
		require.Equal(t, 1, code, out)
		require.Contains(t, errs, want)
		require.NotEmpty(t, out)
		out, errs, code = f.ctl(t, "recover", "acme/app", "-y", "--json")
		require.Equal(t, 1, code)
		require.Contains(t, errs, want)
		require.Equal(t, string(marshal(t, reply))+"\n", out)
	}
	f.refuse(events.OpCIRecover, events.Errorf(events.CodeInvalidArgument, "there are 2 such: say which by \"workflow\" and \"branch\": CI on main, Deploy on main"))
	_, errs, code := f.ctl(t, "recover", "acme/app", "-y")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "Deploy on main")
}

// A person at a terminal is asked, knowing what would be done.
func TestCIRecoverAsks(t *testing.T) {
	t.Parallel()
	ask := func(t *testing.T, f *cannedCI, typed string) (out, errs string, code int) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		code = run(t.Context(), []string{"--server", f.URL(), "ci", "recover", "acme/app"},
			terminal{in: keyboard(typed), out: &stdout, err: &stderr, lookup: none})
		return stdout.String(), stderr.String(), code
	}
	f := startCI(t)
	f.say(t, events.OpCIRecover, events.CIRecoverReply{Recovery: askedRecovery()})
	const question = `run the failed jobs of run 842 again, CI on main, as the rule "main branches" says? [y/N] `
	for _, typed := range []string{"n\n", "\n", "", "yess\n"} {
		out, errs, code := ask(t, f, typed)
		require.Equal(t, 1, code)
		require.Empty(t, out)
		require.Contains(t, errs, question)
		require.Contains(t, errs, "nothing was done: the question was not answered with y")
	}
	for _, body := range f.questions(events.OpCIRecover) {
		require.JSONEq(t, `{"repository":"acme/app","dry_run":true}`, body, "nothing was asked for")
	}
	out, errs, code := ask(t, f, "y\n")
	require.Zero(t, code, errs)
	require.Contains(t, out, "state   asked\n")
	asked := f.questions(events.OpCIRecover)
	require.JSONEq(t, `{"repository":"acme/app"}`, asked[len(asked)-1])

	f.say(t, events.OpCIRecover, events.CIRecoverReply{WhyNot: "the run is a fork's"})
	_, errs, code = ask(t, f, "y\n")
	require.Equal(t, 1, code)
	require.NotContains(t, errs, "[y/N]", "there is nothing to ask")
	require.Contains(t, errs, "the run is a fork's")
}

func TestCIDeeds(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]string{
		"rerun": "run all of run 842 (attempt 2) again", "workflow_dispatch": "start the rule's workflow because of run 842 (attempt 2)",
		"webhook": "post the rule's webhook about run 842 (attempt 2)", "publish": "publish system.recovery_triggered about run 842 (attempt 2)",
		"later": "later of run 842 (attempt 2)",
	} {
		require.Equal(t, want, deed(events.CIRecovery{Action: action, RunID: 842, RunAttempt: 2}))
	}
	require.Equal(t, "7", runOf(events.CIRecovery{RunID: 7, RunAttempt: 1_764_000_000}), "GitLab's attempts are times")
}

func TestCIWebhookSecret(t *testing.T) {
	t.Parallel()
	out, errs, code := atNoServer(t, "ci", "webhook-secret")
	require.Zero(t, code, errs)
	require.Regexp(t, `^[0-9a-f]{64}\n$`, out)
	for _, want := range []string{"/github/webhooks", "application/json", "Workflow runs, Workflow jobs", "GITHUB_WEBHOOK_SECRET", "CI_CONFIG", "webhook_secrets"} {
		require.Contains(t, errs, want)
	}
	require.NotContains(t, errs, strings.TrimSpace(out))
	again, _, _ := atNoServer(t, "ci", "webhook-secret")
	require.NotEqual(t, out, again)

	out, errs, code = atNoServer(t, "ci", "webhook-secret", "--forge", "gitlab")
	require.Zero(t, code, errs)
	require.Regexp(t, `^[0-9a-f]{64}\n$`, out)
	require.Contains(t, errs, "/gitlab/webhooks")
	require.Contains(t, errs, "Pipeline events, Job events")

	out, errs, code = atNoServer(t, "ci", "webhook-secret", "--json")
	require.Zero(t, code, errs)
	require.Empty(t, errs)
	require.Regexp(t, `^{"forge":"github","secret":"[0-9a-f]{64}","path":"/github/webhooks","content_type":"application/json","events":\["workflow_run","workflow_job"\]}\n$`, out)
}

func TestCIWebhookSecretInAFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "hooks.key")
	out, errs, code := atNoServer(t, "ci", "webhook-secret", "--secret-file", name)
	require.Zero(t, code, errs)
	require.Empty(t, out)
	require.Contains(t, errs, name)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Regexp(t, `^[0-9a-f]{64}\n$`, string(text))
	require.NotContains(t, errs, strings.TrimSpace(string(text)))
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	_, errs, code = atNoServer(t, "ci", "webhook-secret", "--secret-file", name)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "is there already")
	out, _, code = atNoServer(t, "ci", "webhook-secret", "--secret-file", name+"2", "--json")
	require.Zero(t, code)
	require.NotContains(t, out, `"secret":`)
	require.Contains(t, out, `"secret_file":`)
}
