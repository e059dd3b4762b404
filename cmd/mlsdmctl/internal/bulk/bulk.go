// Package bulk has a corpus embedded: texts go out in requests of many, several at a time, and the vectors are written in the order of
// the texts. It holds no more of them than are on their way.
package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/corpus"
	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/vectorfile"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of a request, and of the work.
const (
	firstTexts    = 16        // in the first request, which shows how long the vectors are, and whether anything goes at all
	mostTextBytes = 512 << 10 // of the texts of a request: with what JSON adds it stays below [events.MaxBody]
	checkpoint    = time.Second
	waiting       = 2    // for each request at the same time, so many batches may be there whose results are not written
	hopeless      = 1000 // that many texts without any vector, and there is no point in going on
)

// Job is a corpus to embed.
type Job struct {
	// Embed asks for the vectors of some texts. What ends early, the work or ctx, is said by an error.
	Embed func(ctx context.Context, texts []string) (*events.EmbeddingsResponse, error)
	// In is where the texts come from, and Out where the vectors go.
	In  *corpus.Reader
	Out *vectorfile.File
	// Batch is how many texts a request has at most, Parallel how many requests are on their way at the same time; both are positive.
	Batch, Parallel int
	// SkipErrors goes on though there is not one vector of the first texts.
	SkipErrors bool
	// Patience is how long a service that cannot answer now is asked again and again, for each request.
	Patience time.Duration
	// Told is called each time that something is done, with what is done so far.
	Told func(vectorfile.State)

	gate  sync.Mutex      // orders what enters the queue, and the end of that
	rooms chan struct{}   // one a batch that is in the queue
	most  atomic.Int64    // texts a request, as far as is known by now
	calls context.Context //nolint:containedctx // the requests on their way outlive the context of the work
}

// batch is what goes out together.
type batch struct {
	items []corpus.Item
	upTo  corpus.Position

	done   chan struct{} // closed when there are the results:
	rows   []vectorfile.Row
	space  vectorfile.Space
	tokens int
	err    error
}

// Run does the work up to the end of the corpus, or until ctx ends or something fails; then requests on their way are waited for.
// In any case the file says, safely, how far it has come.
func (j *Job) Run(ctx context.Context) error {
	j.most.Store(int64(min(j.Batch, firstTexts)))
	known := j.Out.State().Space.Dimensions
	if known > 0 {
		j.learn(known)
	}
	calls, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	j.calls = calls
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan *batch, waiting*j.Parallel)
	j.rooms = make(chan struct{}, waiting*j.Parallel)
	ended := make(chan error, 1)
	go func() {
		defer close(queue)
		ended <- j.read(ctx, queue, known > 0)
	}()
	failed := j.write(ctx, queue, func(err error) {
		stopped := ctx.Err() != nil
		cancel(err)
		if !stopped { // what is on its way is of no use; if the work was only stopped, it may be
			giveUp()
		}
	})
	if failed == nil {
		select {
		case failed = <-ended:
		default: // the input is slow, and the work is over
			failed = context.Cause(ctx)
		}
	}
	return errors.Join(failed, j.Out.Checkpoint())
}

// write writes the results in the order of the texts.
func (j *Job) write(ctx context.Context, queue <-chan *batch, stop func(error)) error {
	saved := time.Now()
	for {
		b, open := j.next(ctx, queue)
		if !open {
			return nil
		}
		<-b.done
		<-j.rooms
		err := b.err
		if err == nil {
			err = j.store(b)
		}
		if err == nil && time.Since(saved) >= checkpoint {
			err = j.Out.Checkpoint()
			saved = time.Now()
		}
		if err != nil {
			stop(err)
			for b, open := j.next(ctx, queue); open; b, open = j.next(ctx, queue) {
				<-b.done
				<-j.rooms
			}
			return err
		}
		j.Told(j.Out.State())
	}
}

// enter has a batch written when it is worked. It is not taken any more when ctx has ended; there is room for it.
func (j *Job) enter(ctx context.Context, queue chan<- *batch, b *batch) bool {
	j.gate.Lock()
	defer j.gate.Unlock()
	if ctx.Err() != nil {
		return false
	}
	queue <- b
	return true
}

// next returns the next batch. When ctx has ended only those that have entered are waited for, as the input may be silent for ever.
func (j *Job) next(ctx context.Context, queue <-chan *batch) (*batch, bool) {
	select {
	case b, open := <-queue:
		return b, open
	case <-ctx.Done():
		j.gate.Lock() // after this nothing enters
		defer j.gate.Unlock()
		select {
		case b, open := <-queue:
			return b, open
		default:
			return nil, false
		}
	}
}

// store adds the results to the file.
func (j *Job) store(b *batch) error {
	state := j.Out.State()
	rows := state.Rows + len(b.rows)
	if state.Space.Dimensions == 0 && b.space.Dimensions == 0 && (!j.SkipErrors || rows >= hopeless) {
		first := b.rows[0] // all have an error
		return fmt.Errorf("%w of the first %d; that of line %d: %s", ErrNothing, rows, first.Line, first.Error.Message)
	}
	return j.Out.Append(b.rows, b.space, b.tokens, b.upTo)
}

// ErrNothing is the error of a corpus of which the first texts have no vector, which shows that something is wrong with all.
var ErrNothing = errors.New("there is no vector of any text")

// read makes batches of the texts and has them worked, several at a time. The first goes alone.
func (j *Job) read(ctx context.Context, queue chan<- *batch, known bool) error {
	slots := make(chan struct{}, j.Parallel)
	var left corpus.Item // did not fit the batch before
	for {
		b := &batch{done: make(chan struct{})}
		err := j.fill(b, &left)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(b.items) == 0 {
			return nil
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case j.rooms <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if !j.enter(ctx, queue, b) {
			return context.Cause(ctx)
		}
		go func() {
			j.work(ctx, b)
			<-slots
			close(b.done)
		}()
		if !known {
			<-b.done
			switch known = b.space.Dimensions > 0; {
			case known:
				j.learn(b.space.Dimensions)
			case b.err != nil:
				return b.err
			case !j.SkipErrors: // it is the last
				return nil
			}
		}
	}
}

// fill puts texts into a batch. A text that does not fit is left for the next.
func (j *Job) fill(b *batch, left *corpus.Item) error {
	size := 0
	add := func(item corpus.Item) {
		b.items = append(b.items, item)
		size += len(item.Text)
		b.upTo = j.In.Position()
	}
	if left.Line > 0 {
		add(*left)
		*left = corpus.Item{}
	}
	for most := int(j.most.Load()); len(b.items) < most; {
		item, err := j.In.Next()
		if err != nil {
			return err
		}
		if len(b.items) > 0 && size+len(item.Text) > mostTextBytes {
			*left = item
			return nil
		}
		add(item)
	}
	return nil
}

// learn bounds the texts of a request by the length of the vectors: a reply has to fit one message.
func (j *Job) learn(dimensions int) {
	const around = 100 // bytes of JSON around a vector, which is written in base64
	j.most.Store(int64(max(1, min(j.Batch, events.MaxBody*9/10/(dimensions*16/3+around)))))
}

// lower takes note that a request of so many texts is too large.
func (j *Job) lower(texts int) {
	for {
		most := j.most.Load()
		if most < int64(texts) || j.most.CompareAndSwap(most, max(1, int64(texts/2))) {
			return
		}
	}
}
