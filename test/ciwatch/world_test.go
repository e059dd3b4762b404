package ciwatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
)

const (
	repository = "neuron7x/mlsdm"
	token      = "ghp_canary31337"
	// lease is the shortest that there is.
	lease    = 500 * time.Millisecond
	replicas = 3
)

// world is a NATS server, a GitHub with one repository, and replicas of ciwatch that watch it.
type world struct {
	nats   *bustest.Server
	github *fakegithub.Server
	client *bus.Bus
	hooks  *receiver
	asked  func(*http.Request)                    // see [newDoor]
	change func(cfg *ciwatch.Config, hook string) // hook is the address of the receiver

	replicas []*replica
	made     int
}

// replica is a ciwatch behind a fuse.
type replica struct {
	fuse *fuse
	line *line
	door *door
	end  context.CancelFunc
	gone chan struct{}
}

// newWorld makes one and its replicas. Change, if there is one, changes their settings.
func newWorld(t *testing.T, asked func(*http.Request), change func(cfg *ciwatch.Config, hook string)) *world {
	t.Helper()
	gh, err := fakegithub.New(fakegithub.Options{Repository: repository, Token: token})
	require.NoError(t, err)
	w := &world{nats: bustest.Start(t), github: gh, hooks: &receiver{}, asked: asked, change: change}
	w.client = w.nats.Connect(t, "client")
	w.fill(t)
	return w
}

// fill starts replicas until there are as many as there should be.
func (w *world) fill(t *testing.T) {
	t.Helper()
	for i := range replicas {
		if i == len(w.replicas) {
			w.replicas = append(w.replicas, w.start(t))
		}
		if !w.replicas[i].fuse.in() {
			w.replicas[i] = w.start(t)
		}
	}
}

// start starts a replica. It ends with the test.
func (w *world) start(t *testing.T) *replica {
	t.Helper()
	w.made++
	name := fmt.Sprint("ciwatch", w.made)
	r := &replica{fuse: newFuse(), gone: make(chan struct{})}
	r.line = newLine(t, r.fuse, strings.TrimPrefix(w.nats.URL(), "nats://"))
	behind := http.NewServeMux()
	behind.Handle("/", w.github)
	behind.Handle("/hook", w.hooks)
	r.door = newDoor(t, r.fuse, behind, w.asked)
	b, err := bus.Connect(t.Context(), bus.Config{URLs: []string{r.line.url()}}, name, bus.Options{})
	require.NoError(t, err)
	cfg := ciwatch.Config{
		Token: secret.NewValue(token), Repositories: []string{repository}, APIURL: r.door.URL, Branch: "*",
		PollInterval: 50 * time.Millisecond, MinPollInterval: time.Millisecond, FailureThreshold: 2,
		Recovery: "rerun_failed_jobs", Settle: 50 * time.Millisecond, LeaseTTL: lease,
	}
	if w.change != nil {
		w.change(&cfg, r.door.URL+"/hook")
	}
	svc, err := ciwatch.New(cfg, service.Deps{
		Name: name, Bus: b, Tracer: bustest.Tracer(t), Logger: bustest.Logger(t), Health: health.NewChecks(), Version: "1.2.3", DrainTimeout: time.Second,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r.end = cancel
	go func() {
		defer close(r.gone)
		_ = svc.Run(ctx) // what becomes of who is dead does not matter
		closing, done := context.WithTimeout(context.Background(), time.Second)
		defer done()
		_ = b.Close(closing)
	}()
	t.Cleanup(func() {
		cancel()
		r.fuse.wake()
		select {
		case <-r.gone:
		case <-time.After(patience):
			require.Fail(t, "a replica does not end")
		}
	})
	return r
}

// die ends what is dead in the eyes of all others. It may still try what it likes.
func (r *replica) die() {
	r.line.cut()
	r.end()
}

// leader returns the replica that polls, when it has just done so.
func (w *world) leader(t *testing.T) *replica {
	t.Helper()
	var leader *replica
	since := time.Now().UnixNano()
	eventually(t, "somebody polls", func() bool {
		for _, r := range w.replicas {
			if r.fuse.in() && r.door.last.Load() > since {
				leader = r
			}
		}
		return leader != nil
	})
	return leader
}

// ask asks whichever replica answers, and again if nobody does.
func ask[T any](t *testing.T, w *world, operation string, request any) T {
	t.Helper()
	body, err := json.Marshal(request)
	require.NoError(t, err)
	var answer T
	eventually(t, operation+" is answered", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		reply, err := w.client.Request(ctx, bus.Msg{Subject: w.client.Subjects().Interactive("", operation), Body: body})
		if err != nil {
			return false
		}
		require.NoError(t, json.Unmarshal(reply.Body, &answer))
		return true
	})
	return answer
}

// workflow is one of the repository's, which is broken once.
type workflow struct {
	*world

	id           int64
	name, branch string
}

// workflow returns one, on a branch of its own.
func (w *world) workflow(i int) workflow {
	return workflow{world: w, id: int64(1000 + i), name: "CI " + strconv.Itoa(i), branch: fmt.Sprintf("branch-%d", i)}
}

// add adds a completed run.
func (w workflow) add(conclusion string) fakegithub.Run {
	return w.github.AddRun(conclusion, func(r *fakegithub.Run) {
		r.WorkflowID, r.Workflow, r.File, r.Branch = w.id, w.name, fmt.Sprintf("ci-%d.yml", w.id), w.branch
	})
}

// health returns the health of the workflow, and its failures in a row.
func (w workflow) health(t *testing.T) (string, int) {
	t.Helper()
	status := ask[events.CIStatus](t, w.world, events.OpCIStatus, events.CIStatusRequest{Workflow: w.name})
	if len(status.Workflows) == 0 {
		return events.CIUnknown, 0
	}
	return status.Workflows[0].Health, status.Workflows[0].ConsecutiveFailures
}

// recoveries returns those of the workflow.
func (w workflow) recoveries(t *testing.T) []events.CIRecovery {
	t.Helper()
	return ask[events.CIHistory](t, w.world, events.OpCIHistory, events.CIHistoryRequest{Repository: repository, Workflow: w.name}).Recoveries
}

// await waits until the only recovery is in a state, one of several.
func (w workflow) await(t *testing.T, states ...string) {
	t.Helper()
	eventually(t, w.name+" has a recovery that is "+strings.Join(states, " or "), func() bool {
		all := w.recoveries(t)
		require.LessOrEqual(t, len(all), 1, "%+v", all)
		return len(all) == 1 && slices.Contains(states, all[0].State)
	})
}

// told returns how often each type of event is on the stream, by workflow.
func (w *world) told(t *testing.T) map[string]map[string]int {
	t.Helper()
	js, err := w.nats.Conn(t).JetStream()
	require.NoError(t, err)
	info, err := js.StreamInfo("MLSDM_EVENTS")
	require.NoError(t, err)
	all, ids := map[string]map[string]int{}, map[string]bool{}
	for sequence := info.State.FirstSeq; info.State.Msgs > 0 && sequence <= info.State.LastSeq; sequence++ {
		msg, err := js.GetMsg("MLSDM_EVENTS", sequence)
		require.NoError(t, err)
		ev, err := events.FromMessage(w.client.Subjects(), msg.Subject, msg.Header, msg.Data, events.Stored{Stream: "MLSDM_EVENTS", Sequence: sequence, Time: msg.Time})
		require.NoError(t, err)
		require.False(t, ids[ev.ID], "%s stands twice in the stream", ev.ID)
		ids[ev.ID] = true
		var of struct {
			Workflow string `json:"workflow"`
		}
		require.NoError(t, json.Unmarshal(ev.Data, &of))
		if all[of.Workflow] == nil {
			all[of.Workflow] = map[string]int{}
		}
		all[of.Workflow][ev.Type]++
	}
	return all
}

// receiver is who recoveries are posted to.
type receiver struct {
	mu  sync.Mutex
	ids []string
}

// ServeHTTP implements [http.Handler].
func (r *receiver) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = append(r.ids, req.Header.Get("webhook-id"))
}

// distinct returns the ids of what was posted since the first n, each once, and how many posts there were.
func (r *receiver) distinct(n int) (ids []string, posts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids = slices.Clone(r.ids[n:])
	posts = len(ids)
	slices.Sort(ids)
	return slices.Compact(ids), posts
}
