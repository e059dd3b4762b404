package generator_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// held is a provider that says something for as long as its caller is there, or nothing.
type held struct {
	asked, gone chan struct{}
	at          time.Time // when its caller was seen to be gone; to be read after gone
}

func hold(s *llmtest.Server, says string) *held {
	h := &held{asked: make(chan struct{}), gone: make(chan struct{})}
	s.Script(func(w http.ResponseWriter, r *http.Request) {
		if says == "" {
			close(h.asked)
			<-r.Context().Done()
		} else {
			llmtest.Stream(says)(w, r)
			close(h.asked)
			talk(w, r, says)
		}
		h.at = time.Now()
		close(h.gone)
	})
	return h
}

// talk goes on saying the same until the caller is gone.
func talk(w http.ResponseWriter, r *http.Request, says string) {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
			if _, err := io.WriteString(w, says); err != nil {
				return
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
		}
	}
}

// Who leaves, in whatever way, buys nothing more: the provider's connection is closed at once, and nobody else is asked.
func TestWhoLeavesBuysNothingMore(t *testing.T) {
	t.Parallel()
	const plain = `{"model":"fast","prompt":"hello"}`
	for name, c := range map[string]struct {
		says  string
		begin func(t *testing.T, r *rig) (leave func())
	}{
		"the reader of a stream unsubscribes": {say("one") + say("two"), func(t *testing.T, r *rig) func() {
			t.Helper()
			conn := r.Server.Conn(t)
			inbox := conn.NewInbox()
			sub, err := conn.SubscribeSync(inbox)
			require.NoError(t, err)
			require.NoError(t, conn.PublishRequest(interactive, inbox, []byte(streamFast)))
			_, err = sub.NextMsg(doortest.Patience)
			require.NoError(t, err)
			return func() {
				require.NoError(t, sub.Unsubscribe())
				require.NoError(t, conn.Flush())
			}
		}},
		"the connection of a reader is closed": {say("one"), func(t *testing.T, r *rig) func() {
			t.Helper()
			conn := r.Server.Conn(t)
			sub, err := conn.SubscribeSync(conn.NewInbox())
			require.NoError(t, err)
			require.NoError(t, conn.PublishRequest(interactive, sub.Subject, []byte(streamFast)))
			_, err = sub.NextMsg(doortest.Patience)
			require.NoError(t, err)
			return conn.Close
		}},
		"a message cancels it before it begins": {"", func(t *testing.T, r *rig) func() {
			t.Helper()
			conn := r.Server.Conn(t)
			sub, err := conn.SubscribeSync(conn.NewInbox())
			require.NoError(t, err)
			header := map[string][]string{events.HeaderRequestID: {"mine"}}
			require.NoError(t, conn.PublishMsg(bustest.Message("mlsdm.as.shop.generate", sub.Subject, header, []byte(streamFast))))
			return func() {
				require.NoError(t, conn.Publish("mlsdm.as.shop.cancel.mine", nil))
				require.NoError(t, conn.Flush())
			}
		}},
		"the client's patience for a whole answer ends": {"", func(t *testing.T, r *rig) func() {
			t.Helper()
			ctx, cancel := context.WithCancel(t.Context())
			c := r.as(t, "shop")
			ended := make(chan error, 1)
			go func() {
				_, err := c.Generate(ctx, events.ChatRequest{Model: "fast", Prompt: "hello"})
				ended <- err
			}()
			return func() {
				cancel()
				t.Cleanup(func() { require.Error(t, <-ended) })
			}
		}},
		"the client leaves the loop": {say("one"), func(t *testing.T, r *rig) func() {
			t.Helper()
			c := r.as(t, "shop")
			began, leave := make(chan struct{}), make(chan struct{})
			go func() {
				for _, err := range c.GenerateStream(context.WithoutCancel(t.Context()), events.ChatRequest{Model: "fast", Prompt: "hello"}) {
					if err == nil {
						close(began)
						<-leave
					}
					break
				}
			}()
			wait(t, began, "the first chunk")
			return func() { close(leave) }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, twoProviders, "GENERATOR_RETRIES=2")
			h := hold(r.server(t, "a"), c.says)
			leave := c.begin(t, r)
			wait(t, h.asked, "the provider is asked")
			left := time.Now()
			leave()
			wait(t, h.gone, "the connection to the provider is closed")
			took := h.at.Sub(left)
			t.Logf("the provider's connection was closed %s after the caller had left", took.Round(time.Microsecond))
			require.Less(t, took, 5*time.Second) // 100ms where nothing else runs
			told := r.Processed(t)
			require.Equal(t, events.CodeCanceled, told.Code)
			require.Equal(t, 1, told.Attempts)
			require.Len(t, r.server(t, "a").Requests(), 1)
			require.Empty(t, r.server(t, "b").Requests())
			// Nobody is to be blamed for that: the next request goes to the same provider.
			require.Equal(t, "a/m", response(t, r.Ask(t, interactive, []byte(plain))).Model)
		})
	}
}

// Who asks for signs of life and leaves while the provider is silent, with nothing but a subscription that ends, is noticed by the next
// one: before the first chunk, and after it.
func TestWhoLeavesASilentStreamIsNoticed(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{"before it begins": "", "in the middle": say("one")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, twoProviders, "GENERATOR_RETRIES=2")
			h := hush(r.server(t, "a"), says)
			conn := r.Server.Conn(t)
			sub, err := conn.SubscribeSync(conn.NewInbox())
			require.NoError(t, err)
			const every = 200 * time.Millisecond
			header := map[string][]string{events.HeaderKeepaliveMS: {"200"}}
			require.NoError(t, conn.PublishMsg(bustest.Message(interactive, sub.Subject, header, []byte(streamFast))))
			if says != "" {
				m, err := sub.NextMsg(doortest.Patience)
				require.NoError(t, err)
				require.Equal(t, "1", m.Header.Get(events.HeaderSequence))
			}
			for range 2 {
				m, err := sub.NextMsg(doortest.Patience)
				require.NoError(t, err)
				require.Equal(t, "1", m.Header.Get(events.HeaderKeepalive))
				require.Empty(t, m.Header.Get(events.HeaderSequence))
				var chunk events.ChatChunk
				require.NoError(t, events.DecodeJSON(m.Data, &chunk))
				require.Equal(t, events.ObjectChatCompletionChunk, chunk.Object)
				require.Empty(t, chunk.Choices)
				require.Contains(t, string(m.Data), `"choices":[]`)
			}
			wait(t, h.asked, "the provider is asked")
			left := time.Now()
			require.NoError(t, sub.Unsubscribe())
			require.NoError(t, conn.Flush())
			wait(t, h.gone, "the connection to the provider is closed")
			took := h.at.Sub(left)
			t.Logf("the provider's connection was closed %s after the caller had left", took.Round(time.Microsecond))
			require.Less(t, took, every+5*time.Second) // 100ms after the sign where nothing else runs
			told := r.Processed(t)
			require.Equal(t, events.CodeCanceled, told.Code)
			require.Equal(t, 1, told.Attempts)
			require.Empty(t, r.server(t, "b").Requests())
		})
	}
}

// hush is a provider that says something, if anything, and then nothing more.
func hush(s *llmtest.Server, says string) *held {
	h := &held{asked: make(chan struct{}), gone: make(chan struct{})}
	s.Script(func(w http.ResponseWriter, r *http.Request) {
		if says != "" {
			llmtest.Stream(says)(w, r)
		}
		close(h.asked)
		<-r.Context().Done()
		h.at = time.Now()
		close(h.gone)
	})
	return h
}

// What is no time for signs of life is said so; an answer in one piece has none.
func TestSignsOfLifeOfWhatDoesNotStream(t *testing.T) {
	t.Parallel()
	r := serve(t, twoProviders)
	for _, odd := range []string{"99", "60001", "1s", "-1"} {
		e := r.ask(t, streamFast, events.HeaderKeepaliveMS, odd).Err()
		require.NotNil(t, e, odd)
		require.Equal(t, events.CodeInvalidArgument, e.Code)
		require.Contains(t, e.Message, events.HeaderKeepaliveMS)
	}
	h := held{asked: make(chan struct{}), gone: make(chan struct{})}
	r.server(t, "a").Script(func(w http.ResponseWriter, req *http.Request) {
		close(h.asked)
		<-h.gone
		llmtest.Answer(http.StatusOK, `{"choices":[{"message":{"content":"hi"}}]}`)(w, req)
	})
	timer := time.AfterFunc(300*time.Millisecond, func() { close(h.gone) })
	defer timer.Stop()
	m := r.ask(t, `{"model":"fast","prompt":"hello"}`, events.HeaderKeepaliveMS, "100")
	require.Equal(t, "hi", response(t, m).Choices[0].Message.Content.Text)
}
