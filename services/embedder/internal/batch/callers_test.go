package batch_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
)

// together has two callers ask in one call, which they share with nobody, and returns what became of their texts.
func together(t *testing.T, f *fake, ofAlice, ofBob []string) (alice, bob []batch.Item) {
	t.Helper()
	f.takes = time.Second
	b := batch.New(f, batch.Options{InFlight: 1})
	var all sync.WaitGroup
	ask := func(caller string, texts []string, items *[]batch.Item) {
		all.Go(func() {
			got, err := b.Embed(t.Context(), caller, batch.Group{Model: "m"}, texts)
			if err != nil {
				t.Errorf("%s: %v", caller, err)
			}
			*items = got
		})
		synctest.Wait()
	}
	var first []batch.Item
	ask("carol", texts(900, 1), &first) // while it is under way, the others wait for each other
	ask("alice", ofAlice, &alice)
	ask("bob", ofBob, &bob)
	all.Wait()
	return alice, bob
}

// TestCallersDoNotLearnOfEachOther: that another asks for the same text at the same time would be told by what it costs.
func TestCallersDoNotLearnOfEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		alice, bob := together(t, f, []string{"t1", "t2"}, []string{"t1", "t1"})
		require.Len(t, f.calls, 2, "they share a call")
		require.ElementsMatch(t, []string{"t1", "t2", "t1"}, f.calls[1])
		require.Equal(t, []int{2, 2}, []int{alice[0].Tokens, alice[1].Tokens})
		require.Equal(t, []int{2, 0}, []int{bob[0].Tokens, bob[1].Tokens}, "each pays for its own")
	})
}

// TestWhatIsSaidOfACall may quote a text of one caller, which others do not get to read.
func TestWhatIsSaidOfACall(t *testing.T) {
	t.Parallel()
	const private = "the diagnosis of Mr. Smith, which is long"
	for name, c := range map[string]struct {
		class   llm.Class
		code    events.Code
		message func(texts []string) string
		want    string
	}{
		"a text is quoted": {
			llm.ClassProvider, events.CodeUnavailable,
			func([]string) string { return `overloaded at "the diagnosis of Mr. Smith, w…"` }, "quotes a text, and is not told",
		},
		"nothing is quoted": {
			llm.ClassModel, events.CodeNotFound,
			func([]string) string { return "the model m-17 does not exist" }, "the model m-17 does not exist",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answer: func(_ context.Context, list []string, _ bool) (*llm.Embedded, error) {
					e := events.Errorf(c.code, "%s", c.message(list))
					e.Provider, e.RetryAfter = "p", time.Minute
					return nil, &llm.Fault{Class: c.class, Err: e}
				}}
				alice, bob := together(t, f, []string{private}, []string{"t1"})
				for _, items := range [][]batch.Item{alice, bob} {
					e := events.AsError(items[0].Err)
					require.Equal(t, c.code, e.Code)
					require.Equal(t, time.Minute, e.RetryAfter)
					require.Equal(t, "p", e.Provider)
					require.Contains(t, e.Message, c.want)
					require.NotContains(t, e.Message, "Smith")
				}
			})
		})
	}
}

// TestNumbersOfOneTextAreNotTold of a call that fails whatever its texts are; those of the failure are.
func TestNumbersOfOneTextAreNotTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(_ context.Context, list []string, _ bool) (*llm.Embedded, error) {
			if list[0] == "t900" {
				return right(list), nil
			}
			return nil, &llm.Fault{Class: llm.ClassCaller, Err: events.Errorf(events.CodeInvalidArgument,
				"dimensions must be 256 or 512, not as in %s", "card-"+list[0])}
		}}
		alice, bob := together(t, f, texts(100, 30), texts(200, 30))
		told := make(map[string]bool)
		for _, item := range append(alice, bob...) {
			told[events.AsError(item.Err).Message] = true
		}
		require.Contains(t, told, "dimensions must be 256 or 512, not as in …")
		for _, item := range bob {
			require.NotContains(t, events.AsError(item.Err).Message, "card-t1", "a text of alice")
		}
		for _, item := range alice {
			require.NotContains(t, events.AsError(item.Err).Message, "card-t2", "a text of bob")
		}
	})
}
