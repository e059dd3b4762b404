// Package job works large durable embeddings requests in parts, so that a crash costs only the calls that were on their way.
//
// A part is the vectors of as many texts as one call to the provider takes. As soon as it is there, it is stored as one message of the
// stream of parts, under the request's name, and only then counts as done. Whoever is handed the request next, after a crash, a
// shutdown or a failure that passed, lists the parts, and asks the provider for what is missing. Each part carries the identity of
// the request, so that another request under the same id gets none of them, and the attempt in which it was made: while attempts
// make parts, the request is not given up (see [door.Options]).
//
// When all parts are there, they become the answer: one message, or an object in the object store of vectors where that would be too
// large. The parts are removed when the answer is stored, and not before.
package job

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Item is what became of one text.
type Item struct {
	// Vector is nil if there is an Err.
	Vector []float32
	// Tokens is its share of what was used.
	Tokens int
	// Truncated says that the end of the text was not read.
	Truncated *events.Truncation
	// Err is why there is no vector. One that is the fault of the text (invalid_argument, unsupported, content_rejected) stands in its
	// place in the answer; any other is one of the request.
	Err error
}

// Answer is what became of the texts of one call.
type Answer struct {
	// Items has one for each text, in their order.
	Items []Item
	// Model is who answered, as "provider/model".
	Model string
	// Space is where the vectors lie; it does not count when there are none.
	Space events.EmbeddingSpace
}

// Embed makes vectors. It is called from several goroutines at once.
type Embed func(ctx context.Context, texts []string) (Answer, error)

// Request is a durable request to be worked in parts.
type Request struct {
	// Call is how it came. Its report's tokens are filled in.
	Call *door.Call
	// Model is what is asked for, as "provider/model", after all that an operator's configuration makes of it.
	Model string
	// Making is what vectors depend on beside their texts and Model, in any form: when it changes, parts that are there do not count.
	Making string
	// Texts are the texts, at least one.
	Texts []string
	// Encoding is the form in which vectors are wanted that fit one message, as in the request.
	Encoding string
	// Size is how many texts one call to the provider takes; 0 or more than 2,048 is 2,048.
	Size int
	// Embed makes the vectors.
	Embed Embed
}

// Options are the settings of [Jobs]. The zero value works.
type Options struct {
	// Parallel is how many parts of a request are worked on at the same time; 0 is 4.
	Parallel int
	// Inline is the largest size in bytes of vectors in base64 that are still put into the answer itself; 0 is 1 MiB.
	Inline int
	// Logger takes log lines; nil discards them.
	Logger *slog.Logger
}

// Defaults of [Options], and the largest part.
const (
	defaultParallel = 4
	defaultInline   = 1 << 20
	maxSize         = 2048
)

// Jobs works requests in parts. It is safe for concurrent use.
type Jobs struct {
	bus     *bus.Bus
	objects *bus.Objects
	opts    Options
	log     *slog.Logger

	mu      sync.Mutex
	kv      *bus.KV            // nil until it was there
	flights map[string]*flight // what is being worked on in this process
}

// flight is one request in work.
type flight struct {
	done chan struct{} // closed when the others are set
	body []byte
	err  error
}

// New returns jobs on a bus. It asks the server nothing.
func New(b *bus.Bus, o Options) *Jobs {
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	if o.Inline <= 0 {
		o.Inline = defaultInline
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Jobs{bus: b, objects: b.Objects(events.ObjectsVectors), opts: o, log: o.Logger, flights: make(map[string]*flight)}
}

// errLost is that a part which should be there cannot be used: it is made anew.
var errLost = errors.New("a part is lost")

// Work does a request as far as it can, and returns the body of its answer. Its errors are those of Embed and of the bus;
// [bus.ErrGivenBack] when the process is about to stop; failed_precondition when the vectors do not all lie in one space; and the error
// of the first text when no text has a vector.
func (j *Jobs) Work(ctx context.Context, req Request) ([]byte, error) {
	if len(req.Texts) == 0 || req.Embed == nil || req.Call == nil {
		return nil, events.Errorf(events.CodeInternal, "a job without texts, or without anybody who works on it")
	}
	if req.Size <= 0 || req.Size > maxSize {
		req.Size = maxSize
	}
	req.Call.InParts = true
	r := &run{jobs: j, req: req, identity: identityOf(req.Call.Hash(), req.Model, req.Making)}
	name := req.Call.Caller + "." + req.Call.ID + "." + string(r.identity[:])
	j.mu.Lock()
	if f := j.flights[name]; f != nil {
		// The connection was gone for so long that the server hands the request out again, and whoever was at it still is.
		j.mu.Unlock()
		select {
		case <-f.done:
			return f.body, f.err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	f := &flight{done: make(chan struct{}), err: errors.New("the work on the request broke off")}
	j.flights[name] = f
	j.mu.Unlock()
	defer func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.flights, name)
		close(f.done)
	}()
	f.body, f.err = r.work(ctx)
	return f.body, f.err
}

// work lists, embeds and answers.
func (r *run) work(ctx context.Context) ([]byte, error) {
	pieces, missing, err := r.list(ctx)
	if err != nil {
		return nil, err
	}
	r.progress = r.jobs.begin(ctx, &r.req, covered(pieces))
	defer r.progress.end(ctx)
	const rounds = 3 // one is enough, unless parts get lost
	for range rounds {
		if err := r.learn(ctx, pieces); err != nil && !errors.Is(err, errLost) {
			return nil, err
		}
		if err := r.embed(ctx, missing); err != nil {
			return nil, err
		}
		if pieces, missing, err = r.list(ctx); err != nil {
			return nil, err
		}
		if len(missing) > 0 {
			continue
		}
		body, err := r.answer(ctx, pieces)
		if !errors.Is(err, errLost) {
			return body, err
		}
		r.jobs.log.WarnContext(ctx, "a part of a request is made anew", "caller", r.req.Call.Caller, "request_id", r.req.Call.ID, "err", err)
		if pieces, missing, err = r.list(ctx); err != nil {
			return nil, err
		}
	}
	return nil, events.Errorf(events.CodeUnavailable, "parts of the request are lost as fast as they are made: is the stream of parts large enough?")
}

// run is one attempt at a request.
type run struct {
	jobs     *Jobs
	req      Request
	identity identity
	progress *progress

	mu    sync.Mutex
	space events.EmbeddingSpace // in which the vectors so far lie; its Dimensions are 0 while there are none
}

// identity tells requests apart that have the same id.
type identity [sha256.Size]byte

// identityOf makes it of what is asked, and of whom: what an empty model means may change while a request is worked on.
func identityOf(hash, model, making string) identity {
	return sha256.Sum256([]byte(hash + "\n" + model + "\n" + making))
}

// token is how it stands in subjects.
func (i identity) token() string { return hex.EncodeToString(i[:8]) }

// agree checks that vectors lie where the others do.
func (r *run) agree(space events.EmbeddingSpace) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.space.Dimensions == 0 {
		r.space = space
		return nil
	}
	if r.space.ID == space.ID && r.space.Dimensions == space.Dimensions {
		return nil
	}
	return events.Errorf(events.CodeFailedPrecondition,
		"some of the vectors lie in the space %s (%d dimensions) and some in %s (%d): the model changed while the request was worked on; ask again under another id",
		r.space.ID, r.space.Dimensions, space.ID, space.Dimensions)
}
