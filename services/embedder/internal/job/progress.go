package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// progressEvery is how often it is told at the most how far a request has come.
const progressEvery = 500 * time.Millisecond

// key is where it stands how far a request has come: <caller>.<request id>, with =XX for what cannot stand in a key.
func key(caller, id string) string { return escape(caller) + "." + escape(id) }

// escape writes a token with the characters of keys. Most have no others.
func escape(token string) string {
	var b strings.Builder
	for i := range len(token) {
		switch c := token[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '/':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

// bucket opens the bucket of jobs, once.
func (j *Jobs) bucket(ctx context.Context) (*bus.KV, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.kv == nil {
		kv, err := j.bus.KV(ctx, events.BucketJobs)
		if err != nil {
			return nil, err
		}
		j.kv = kv
	}
	return j.kv, nil
}

// read returns how far a request has come; the error wraps [bus.ErrNotFound] when nothing is known of it.
func (j *Jobs) read(ctx context.Context, caller, id string) (events.EmbeddingsJob, error) {
	var state events.EmbeddingsJob
	kv, err := j.bucket(ctx)
	if err != nil {
		return state, err
	}
	body, _, err := kv.Get(ctx, key(caller, id))
	if err != nil {
		return state, err
	}
	if err := json.Unmarshal(body, &state); err != nil {
		return state, fmt.Errorf("what is known of request %s: %w", id, err)
	}
	return state, nil
}

// write tells how far a request has come. That it cannot is no reason to stop: it is logged.
func (j *Jobs) write(ctx context.Context, state events.EmbeddingsJob) {
	state.Updated = time.Now().UTC()
	body, err := json.Marshal(state)
	if err == nil {
		var kv *bus.KV
		if kv, err = j.bucket(ctx); err == nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
			defer cancel()
			_, err = kv.Put(ctx, key(state.Caller, state.RequestID), body)
		}
	}
	if err != nil {
		j.log.WarnContext(ctx, "how far a request has come cannot be told", "caller", state.Caller, "request_id", state.RequestID, "err", err)
	}
}

// writeTimeout is how long telling may take.
const writeTimeout = 5 * time.Second

// progress tells how far one attempt has come, while it goes on.
type progress struct {
	jobs *Jobs
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex
	state events.EmbeddingsJob
	news  bool // that have not been told
}

// begin tells that a request is worked on, of which so many texts are done.
func (j *Jobs) begin(ctx context.Context, req *Request, covered int) *progress {
	p := &progress{jobs: j, stop: make(chan struct{}), done: make(chan struct{}), state: events.EmbeddingsJob{
		RequestID: req.Call.ID, Caller: req.Call.Caller, Model: req.Model, State: events.JobRunning, Total: len(req.Texts), Done: covered,
		Started: time.Now().UTC(),
	}}
	if covered > 0 || req.Call.Attempt > 1 { // somebody has been at it
		before, err := j.read(ctx, req.Call.Caller, req.Call.ID)
		if err == nil && before.State == events.JobRunning {
			p.state.Started, p.state.Failed, p.state.PromptTokens = before.Started, min(before.Failed, covered), before.PromptTokens
		}
	}
	j.write(ctx, p.state)
	go p.run(context.WithoutCancel(ctx))
	return p
}

// run tells the news.
func (p *progress) run(ctx context.Context) {
	defer close(p.done)
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.tell(ctx)
		}
	}
}

// tell writes the state if there is news.
func (p *progress) tell(ctx context.Context) {
	p.mu.Lock()
	state, news := p.state, p.news
	p.news = false
	p.mu.Unlock()
	if news {
		p.jobs.write(ctx, state)
	}
}

// end tells the last news.
func (p *progress) end(ctx context.Context) {
	close(p.stop)
	<-p.done
	p.tell(ctx)
}

// add counts a part that is stored.
func (p *progress) add(made *part) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.news = true
	p.state.Done = min(p.state.Done+made.count, p.state.Total) // parts that were made anew are counted twice
	p.state.PromptTokens += made.Tokens
	for _, n := range made.Items {
		if n.Error != nil {
			p.state.Failed = min(p.state.Failed+1, p.state.Done)
		}
	}
}

// total sets what is known when all parts have been read.
func (p *progress) total(failed, tokens int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.news, p.state.Done, p.state.Failed, p.state.PromptTokens = true, p.state.Total, failed, tokens
}

// Settled is to be told of a request whose answer is stored, or an error in its place: see [door.Options]. What was kept of a request
// that was answered is removed; of one that failed it stays for a while, for whoever asks the same again under the same id.
func (j *Jobs) Settled(ctx context.Context, call *door.Call, failure error) {
	if failure == nil {
		s := j.bus.Subjects()
		if _, err := j.bus.Purge(ctx, s.StreamName(events.StreamParts), s.Part(call.Caller, call.ID, "*")); err != nil {
			j.log.WarnContext(ctx, "the parts of a request that was answered stay for a while", "caller", call.Caller, "request_id", call.ID, "err", err)
		}
	}
	state, err := j.read(ctx, call.Caller, call.ID)
	if errors.Is(err, bus.ErrNotFound) { // it was never worked in parts
		return
	}
	if err != nil {
		j.log.WarnContext(ctx, "that a request is done cannot be told", "caller", call.Caller, "request_id", call.ID, "err", err)
		return
	}
	state.State = events.JobDone
	if failure != nil {
		state.State = events.JobFailed
	}
	j.write(ctx, state)
}

// Progress says in which attempt a request last came forward: see [door.Options].
func (j *Jobs) Progress(ctx context.Context, call *door.Call) (attempt int, err error) {
	subjects, err := j.parts(ctx, call)
	if err != nil {
		return 0, err
	}
	for _, subject := range subjects {
		if made, ok := attemptOf(subject); ok && made <= call.Attempt {
			attempt = max(attempt, made)
		}
	}
	return attempt, nil
}
