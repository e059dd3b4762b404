package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// TestPerson uses mlsdmctl as a person does, against one stack.
func TestPerson(t *testing.T) {
	t.Parallel()
	stack := startUp(t, nil)
	t.Cleanup(func() { stack.stop(t) })
	for name, does := range map[string]func(*testing.T, upStack){
		"embeds": personEmbeds, "generates": personGenerates, "watches": personWatches, "operates": personOperates, "errs": personErrs,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			does(t, stack)
		})
	}
}

// decode reads JSON.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}

func personEmbeds(t *testing.T, stack upStack) {
	t.Helper()
	out, _ := stack.mlsdmctl(t, 0, "embed", "the cat sat", "on the mat")
	require.Contains(t, out, "512 values]  the cat sat\n")
	require.Contains(t, out, "512 values]  on the mat\n")
	require.Contains(t, out, "local/use-lite-512, ")

	env := map[string]string{"NATS_URL": stack.url}
	out, _ = mlsdmctl(t, "one\n\n  two  \nthree", env, 0, "embed", "--json", "--model", "local/hash-384")
	answer := decode[events.EmbeddingsResponse](t, out)
	require.Len(t, answer.Data, 3, "a line is a text, and an empty line is none")
	for _, d := range answer.Data {
		require.Len(t, d.Embedding.Values, 384)
	}
	_, errs := mlsdmctl(t, "\n\n", env, 1, "embed")
	require.Contains(t, errs, "nothing to embed")
	_, errs = stack.mlsdmctl(t, 1, "embed", "--model", "nobody/nothing", "x")
	require.Contains(t, errs, "not_found")
	require.Contains(t, errs, "local/hash-384", "what there is")
}

func personGenerates(t *testing.T, stack upStack) {
	t.Helper()
	for _, args := range [][]string{{"generate", "is", "anybody", "there"}, {"generate", "--no-stream", "is anybody there"}} {
		out, _ := stack.mlsdmctl(t, 0, args...)
		require.Equal(t, "echo: is anybody there\n", out)
	}
	env := map[string]string{"NATS_URL": stack.url}
	out, _ := mlsdmctl(t, "from a file\n", env, 0, "generate", "-m", "local/echo", "-s", "be brief", "--max-tokens", "2")
	require.Equal(t, "echo: from \n", out)

	out, _ = stack.mlsdmctl(t, 0, "generate", "--json", "one two")
	var text strings.Builder
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Greater(t, len(lines), 2, "it streams")
	for _, line := range lines {
		for _, choice := range decode[events.ChatChunk](t, line).Choices {
			text.WriteString(choice.Delta.Content)
		}
	}
	require.Equal(t, "echo: one two", text.String())
	out, _ = stack.mlsdmctl(t, 0, "generate", "--json", "--no-stream", "one two")
	require.Equal(t, "echo: one two", decode[events.ChatResponse](t, out).Choices[0].Message.Content.String())
	_, errs := stack.mlsdmctl(t, 1, "generate", "-m", "local/nothing", "x")
	require.Contains(t, errs, "not_found")
}

func personWatches(t *testing.T, stack upStack) {
	t.Helper()
	watching := start(t, "mlsdmctl", map[string]string{"NATS_URL": stack.url}, "events", "custom.deploy", "--json")
	watching.Errs.Await(t, "waiting for events|^$")
	out, _ := stack.mlsdmctl(t, 0, "publish", "custom.deploy", `{"version":"1.2.3"}`, "--id", "deploy-1", "--subject", "mlsdm")
	require.Contains(t, out, "custom.deploy stored as deploy-1")
	out, _ = stack.mlsdmctl(t, 0, "publish", "custom.deploy", `{"version":"1.2.3"}`, "--id", "deploy-1")
	require.Contains(t, out, "was stored before")
	out, _ = mlsdmctl(t, "a text of many words", map[string]string{"NATS_URL": stack.url}, 0, "publish", "custom.note", "-", "--json")
	require.NotEmpty(t, decode[struct{ ID string }](t, out).ID)
	_, errs := stack.mlsdmctl(t, 1, "publish", "moral_filter.reject", `{"score":7}`)
	require.Contains(t, errs, "does not fit moral_filter.reject")

	later := start(t, "mlsdmctl", map[string]string{"NATS_URL": stack.url}, "events", "custom.*", "--since", "1h")
	later.Out.Await(t, `custom\.deploy +mlsdm +\{"version":"1\.2\.3"\}`)
	later.Out.Await(t, `custom\.note .* a text of many words`)
	later.Interrupt()
	require.Zero(t, later.Exit(), "Ctrl-C is how it ends")
	require.Equal(t, 1, strings.Count(later.Out.String(), "custom.deploy"))
	watching.Interrupt()
	require.Zero(t, watching.Exit())
}

func personOperates(t *testing.T, stack upStack) {
	t.Helper()
	out, _ := stack.mlsdmctl(t, 0, "doctor")
	require.Contains(t, out, "ok    assets")
	out, _ = stack.mlsdmctl(t, 0, "doctor", "--json")
	health := decode[struct {
		Findings []struct{ Check, Result, Says string } `json:"findings"`
	}](t, out)
	checked := map[string]string{}
	for _, f := range health.Findings {
		require.Equal(t, "ok", f.Result, "%s: %s", f.Check, f.Says)
		checked[f.Check] = f.Says
	}
	for _, unit := range services.Units() {
		require.Contains(t, checked, "service "+unit.Name)
	}
	for _, args := range [][]string{{"provision", "--dry-run"}, {"provision"}} {
		out, _ = stack.mlsdmctl(t, 0, args...)
		for line := range strings.Lines(out) {
			require.True(t, strings.HasPrefix(line, "keep "), "up has made everything already: %s", line)
		}
		for _, s := range events.Streams() {
			require.Contains(t, out, events.Subjects{}.StreamName(s.Name))
		}
	}
	out, _ = stack.mlsdmctl(t, 0, "provision", "--dry-run", "--json")
	require.True(t, decode[struct {
		DryRun bool `json:"dry_run"`
	}](t, out).DryRun)
	out, _ = stack.mlsdmctl(t, 0, "webhooks")
	require.Contains(t, out, "WEBHOOK_URL")
	_, errs := stack.mlsdmctl(t, 1, "ci")
	require.Contains(t, errs, "GITHUB_REPOSITORY")
}

func personErrs(t *testing.T, stack upStack) {
	t.Helper()
	_, errs := stack.mlsdmctl(t, 2, "embedd", "x")
	require.Contains(t, errs, "embedd")
	require.Contains(t, errs, "--help")
	_, errs = stack.mlsdmctl(t, 2, "embed", "--modell", "x")
	require.Contains(t, errs, "--modell")
	var tries []*process.Process
	for _, args := range [][]string{{"embed", "x"}, {"generate", "x"}, {"publish", "custom.x", "{}"}, {"events"}, {"doctor"}, {"provision"}} {
		tries = append(tries, start(t, "mlsdmctl", nil, append(args, "--server", "nats://127.0.0.1:1")...))
	}
	for _, p := range tries {
		require.Equal(t, 1, p.Exit(), "%v", p.Args())
		require.Contains(t, p.Out.String()+p.Errs.String(), "mlsdmctl up", "%v: what to do about it", p.Args())
	}
	out, _ := stack.mlsdmctl(t, 0, "version")
	require.True(t, strings.HasPrefix(out, "mlsdmctl "), out)
	out, _ = stack.mlsdmctl(t, 0, "--help")
	require.Contains(t, out, "doctor")
	out, _ = stack.mlsdmctl(t, 0)
	require.Contains(t, out, "doctor", "nothing at all is a question for help")

	script, _ := stack.mlsdmctl(t, 0, "completion", "bash")
	require.Contains(t, script, "doctor")
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Log("there is no bash here to try the completion with")
		return
	}
	try := process.Start(t, bash, script, nil, "-n")
	require.Zero(t, try.Exit(), "%s", try.Errs)
	try = process.Start(t, bash, "", nil, "-c", script+"\nCOMP_WORDS=(mlsdmctl pub); COMP_CWORD=1; _mlsdmctl; echo \"${COMPREPLY[@]}\"")
	require.Zero(t, try.Exit(), "%s", try.Errs)
	require.Equal(t, "publish\n", try.Out.String())
}

// requireEmptyDir checks that nothing is left in a folder.
func requireEmptyDir(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
