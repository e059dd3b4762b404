package door_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	plain   = "mlsdm.requests.embed"
	asAlice = "mlsdm.as.alice.requests.embed"
)

// options are those of a quick embedder.
func options(t *testing.T) door.Options {
	t.Helper()
	return door.Options{
		Kind: events.KindEmbed, Service: events.ServiceEmbedder, Version: "1.2.3", Workers: 4, Timeout: 10 * time.Second,
		MaxAttempts: 3, Backoff: retry.Backoff{Base: time.Millisecond}, DrainTimeout: 5 * time.Second, Logger: bustest.Logger(t),
	}
}

// open opens the doors of a worker.
func open(t *testing.T, s *doortest.Street, opts door.Options, w door.Worker) (stop func()) {
	t.Helper()
	doors, err := door.New(s.Server.Connect(t, "embedder"), opts, w)
	require.NoError(t, err)
	return s.Run(t, opts.Service, doors)
}

// reply is a worker that answers with who asked what.
func reply(_ context.Context, c *door.Call) ([]byte, error) {
	c.Report.Model = "local/test"
	return []byte(`{"caller":"` + c.Caller + `","asked":` + string(c.Body) + `}`), nil
}

func TestNewChecksItsOptions(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	for name, change := range map[string]func(*door.Options){
		"kind": func(o *door.Options) { o.Kind = "" }, "service": func(o *door.Options) { o.Service = "" },
		"workers": func(o *door.Options) { o.Workers = 0 }, "timeout": func(o *door.Options) { o.Timeout = 0 },
		"attempts": func(o *door.Options) { o.MaxAttempts = 0 },
	} {
		opts := options(t)
		change(&opts)
		_, err := door.New(s.Bus, opts, reply)
		require.Error(t, err, name)
	}
	_, err := door.New(s.Bus, options(t), nil)
	require.Error(t, err)
}

func TestBothDoorsRunTheSameWorker(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	open(t, s, options(t), reply)

	require.JSONEq(t, `{"caller":"default","asked":1}`, string(s.Ask(t, "mlsdm.embed", []byte("1")).Body))
	told := s.Processed(t)
	require.Equal(t, events.DoorInteractive, told.Door)
	require.NotEmpty(t, told.RequestID)
	require.JSONEq(t, `{"caller":"alice","asked":2}`, string(s.Ask(t, "mlsdm.as.alice.embed", []byte("2")).Body))
	require.Equal(t, "alice", s.Processed(t).Caller)

	s.Publish(t, plain, "req-1", []byte("3"))
	result := s.Results().Next(t)
	require.Equal(t, "mlsdm.results.default.req-1", result.Subject)
	require.JSONEq(t, `{"caller":"default","asked":3}`, string(result.Body))
	require.Equal(t, "3600s", result.Value(events.HeaderMsgTTL))
	require.Equal(t, "req-1", result.Value(events.HeaderRequestID))
	require.Equal(t, events.ContentTypeJSON, result.Value(events.HeaderContentType))
	require.NotEmpty(t, result.Value(events.HeaderMsgID))
	told = s.Processed(t)
	require.Equal(t, events.RequestProcessed{
		RequestID: "req-1", Caller: "default", Kind: "embed", Door: "durable", Model: "local/test", Outcome: "ok", LatencyMS: told.LatencyMS,
	}, told)

	ack := s.Publish(t, asAlice, "", []byte("4"), events.HeaderResultTTL, "90m")
	result = s.Results().Next(t)
	require.Equal(t, "mlsdm.results.alice."+strconv.FormatUint(ack.Sequence, 10), result.Subject, "no id: the sequence serves")
	require.Equal(t, "5400s", result.Value(events.HeaderMsgTTL))
}

func TestSameIDDoesTheWorkOnce(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	open(t, s, options(t), reply)
	require.False(t, s.Publish(t, plain, "once", []byte("1")).Duplicate)
	require.True(t, s.Publish(t, plain, "once", []byte("2")).Duplicate)
	require.JSONEq(t, `{"caller":"default","asked":1}`, string(s.Results().Next(t).Body))
	s.Results().Nothing(t)
}

func TestPermanentFailuresAreAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	calls := make(chan struct{}, 10)
	open(t, s, options(t), func(context.Context, *door.Call) ([]byte, error) {
		calls <- struct{}{}
		return nil, events.Errorf(events.CodeNotFound, "no such model")
	})
	s.Publish(t, plain, "r", []byte("1"))
	result := s.Results().Next(t)
	require.Equal(t, events.CodeNotFound, result.Err().Code)
	require.Equal(t, "not_found", result.Value(events.HeaderErrorCode))
	require.Equal(t, "3600s", result.Value(events.HeaderMsgTTL))
	told := s.Processed(t)
	require.Equal(t, events.OutcomeError, told.Outcome)
	require.Equal(t, events.CodeNotFound, told.Code)
	s.Dead().Nothing(t)
	require.Len(t, calls, 1)

	answer := s.Ask(t, "mlsdm.embed", []byte("1"))
	require.Equal(t, events.CodeNotFound, answer.Err().Code)
	require.Equal(t, events.CodeNotFound, s.Processed(t).Code)
}

func TestPassingFailuresAreRetried(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	opts := options(t)
	opts.Backoff = retry.Backoff{Base: time.Hour} // what the provider asks for counts
	fails := 2
	open(t, s, opts, func(ctx context.Context, c *door.Call) ([]byte, error) {
		if fails--; fails >= 0 {
			return nil, &events.Error{Code: events.CodeRateLimited, Message: "slow down", Retryable: true, RetryAfter: 5 * time.Millisecond}
		}
		return reply(ctx, c)
	})
	s.Publish(t, plain, "r", []byte("1"))
	result := s.Results().Next(t)
	require.Nil(t, result.Err())
	require.Equal(t, events.OutcomeOK, s.Processed(t).Outcome, "told once, when it ended")
	s.Results().Nothing(t)
}

func TestUsedUpAttemptsAreAnsweredAndDead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail func() error
		code events.Code
	}{
		"unavailable":      {func() error { return events.Errorf(events.CodeUnavailable, "down") }, events.CodeUnavailable},
		"fault of ours":    {func() error { return errors.New("secret details") }, events.CodeInternal},
		"panic":            {func() error { panic("secret details") }, events.CodeInternal},
		"our own deadline": {func() error { return context.DeadlineExceeded }, events.CodeDeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := doortest.Start(t)
			calls := make(chan struct{}, 10)
			open(t, s, options(t), func(context.Context, *door.Call) ([]byte, error) {
				calls <- struct{}{}
				return nil, c.fail()
			})
			s.Publish(t, asAlice, "r", []byte(`{"model":"acme/m"}`), "X-Mine", "kept")
			result := s.Results().Next(t)
			require.Equal(t, "mlsdm.results.alice.r", result.Subject)
			require.Equal(t, c.code, result.Err().Code)
			require.NotContains(t, string(result.Body), "secret details")
			dead := s.Dead().Next(t)
			require.Equal(t, "mlsdm.deadletters.requests.embed", dead.Subject)
			require.JSONEq(t, `{"model":"acme/m"}`, string(dead.Body))
			require.Equal(t, "kept", dead.Value("X-Mine"))
			require.Equal(t, asAlice, dead.Value(events.HeaderDeadSubject))
			require.Equal(t, "3", dead.Value(events.HeaderDeadAttempts))
			require.Len(t, calls, 3)
			told := s.Processed(t)
			require.Equal(t, c.code, told.Code)
			require.Equal(t, "acme/m", told.Model)
		})
	}
}

func TestBadHeaders(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	open(t, s, options(t), func(context.Context, *door.Call) ([]byte, error) {
		t.Error("there was nothing to work on")
		return nil, nil
	})
	past := time.Now().Add(-time.Minute).Format(time.RFC3339)
	for name, c := range map[string]struct {
		id, header, value string
		code              events.Code
		says              string
	}{
		"ttl no duration":   {"a", events.HeaderResultTTL, "soon", events.CodeInvalidArgument, events.HeaderResultTTL},
		"ttl too long":      {"b", events.HeaderResultTTL, "25h", events.CodeInvalidArgument, events.HeaderResultTTL},
		"ttl negative":      {"c", events.HeaderResultTTL, "-1h", events.CodeInvalidArgument, events.HeaderResultTTL},
		"deadline no time":  {"d", events.HeaderDeadline, "tomorrow", events.CodeInvalidArgument, events.HeaderDeadline},
		"timeout no number": {"e", events.HeaderTimeoutMS, "1s", events.CodeInvalidArgument, events.HeaderTimeoutMS},
		"deadline passed":   {"f", events.HeaderDeadline, past, events.CodeDeadlineExceeded, "deadline"},
		"id with a dot":     {"a.b", "", "", events.CodeInvalidArgument, "sequence"},
		"id with a space":   {"a b", "", "", events.CodeInvalidArgument, "sequence"},
		"id a wildcard":     {"*", "", "", events.CodeInvalidArgument, "sequence"},
		"id too long":       {strings.Repeat("x", 200), "", "", events.CodeInvalidArgument, "sequence"},
		"id not ASCII":      {"Ω", "", "", events.CodeInvalidArgument, "sequence"},
	} {
		var headers []string
		if c.header != "" {
			headers = []string{c.header, c.value}
		}
		ack := s.Publish(t, plain, c.id, []byte("1"), headers...)
		result := s.Results().Next(t)
		require.Equal(t, c.code, result.Err().Code, name)
		require.Contains(t, result.Err().Message, c.says, name)
		id := c.id
		if c.says == "sequence" {
			id = strconv.FormatUint(ack.Sequence, 10)
			require.Contains(t, result.Err().Message, id)
		}
		require.Equal(t, "mlsdm.results.default."+id, result.Subject, name)
		require.Equal(t, "3600s", result.Value(events.HeaderMsgTTL))
	}
	s.Dead().Nothing(t)
}

func TestPatience(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	opts := options(t)
	opts.Backoff = retry.Backoff{Base: 100 * time.Millisecond}
	opts.MaxAttempts = 1000
	open(t, s, opts, func(ctx context.Context, _ *door.Call) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	s.Publish(t, plain, "r", []byte("1"), events.HeaderTimeoutMS, "50")
	require.Equal(t, events.CodeDeadlineExceeded, s.Results().Next(t).Err().Code, "not finished for nobody, nor tried again")

	_, err := s.Bus.Request(t.Context(), bus.Msg{
		Subject: "mlsdm.embed", Body: []byte("1"), Header: map[string][]string{events.HeaderTimeoutMS: {"50"}},
	})
	require.Equal(t, events.CodeDeadlineExceeded, events.CodeOf(err))
}

func TestReplyTooLarge(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	open(t, s, options(t), func(_ context.Context, c *door.Call) ([]byte, error) {
		extra, err := strconv.Atoi(string(c.Body))
		if err != nil {
			return nil, err
		}
		return []byte(strings.Repeat("x", c.Limit+extra)), nil
	})
	require.Nil(t, s.Ask(t, "mlsdm.embed", []byte("0")).Err(), "the limit itself fits")
	require.Equal(t, events.CodeInvalidArgument, s.Ask(t, "mlsdm.embed", []byte("10000")).Err().Code)
	s.Publish(t, plain, "fits", []byte("0"))
	require.Nil(t, s.Results().Next(t).Err())
	s.Publish(t, plain, "large", []byte("1"))
	require.Equal(t, events.CodeInvalidArgument, s.Results().Next(t).Err().Code)
}

func TestStopGivesWorkToAnotherReplica(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	opts := options(t)
	opts.DrainTimeout = 50 * time.Millisecond
	begun := make(chan struct{}, 1)
	stop := open(t, s, opts, func(ctx context.Context, _ *door.Call) ([]byte, error) {
		begun <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	s.Publish(t, plain, "r", []byte("1"))
	<-begun
	stop()
	s.Results().Nothing(t)
	open(t, s, options(t), reply)
	require.Nil(t, s.Results().Next(t).Err())
}

func TestDrainFinishesWorkAndReports(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	begun, finish := make(chan struct{}, 2), make(chan struct{})
	stop := open(t, s, options(t), func(ctx context.Context, c *door.Call) ([]byte, error) {
		begun <- struct{}{}
		<-finish
		return reply(ctx, c)
	})
	s.Publish(t, plain, "r", []byte("1"))
	answered := make(chan error, 1)
	go func() {
		_, err := s.Bus.Request(t.Context(), bus.Msg{Subject: "mlsdm.embed", Body: []byte("2")})
		answered <- err
	}()
	<-begun
	<-begun
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(finish)
	require.NoError(t, <-answered)
	require.Nil(t, s.Results().Next(t).Err())
	<-stopped
	s.Processed(t)
	s.Processed(t)
}

func TestCrashHandsTheWorkOut(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	s.Quick(t, events.ConsumerEmbedder, 500*time.Millisecond)
	crashed := s.Server.Connect(t, "crashed")
	begun, never := make(chan struct{}, 1), make(chan struct{})
	doors, err := door.New(crashed, options(t), func(context.Context, *door.Call) ([]byte, error) {
		begun <- struct{}{}
		<-never
		return nil, errors.New("too late")
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() { _ = doors.Run(ctx); close(gone) }() // it is to fail: its connection is cut
	t.Cleanup(func() { cancel(); close(never); <-gone })
	s.Publish(t, plain, "r", []byte("1"))
	<-begun
	closing, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	_ = crashed.Close(closing) // it cannot be clean

	open(t, s, options(t), reply)
	require.JSONEq(t, `{"caller":"default","asked":1}`, string(s.Results().Next(t).Body))
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	reg := prometheus.NewRegistry()
	opts := options(t)
	opts.Metrics = reg
	open(t, s, opts, func(_ context.Context, c *door.Call) ([]byte, error) {
		c.Report.Model, c.Report.Inputs, c.Report.CachedInputs, c.Report.PromptTokens = "local/"+string(c.Body), 3, 1, 7
		if string(c.Body) == "bad" {
			return nil, events.Errorf(events.CodeNotFound, "no")
		}
		return []byte("{}"), nil
	})
	s.Ask(t, "mlsdm.embed", []byte("good"))
	s.Processed(t)
	s.Ask(t, "mlsdm.embed", []byte("bad"))
	s.Processed(t)
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP mlsdm_embedded_inputs_total Texts of embed requests, by whether the cache had their vectors.
# TYPE mlsdm_embedded_inputs_total counter
mlsdm_embedded_inputs_total{cache="hit",model="local/good"} 1
mlsdm_embedded_inputs_total{cache="miss",model="local/good"} 2
# HELP mlsdm_requests_total Embed and generate requests that ended, by error code (ok without one).
# TYPE mlsdm_requests_total counter
mlsdm_requests_total{code="not_found",door="interactive",kind="embed",model=""} 1
mlsdm_requests_total{code="ok",door="interactive",kind="embed",model="local/good"} 1
# HELP mlsdm_tokens_total Tokens, as the providers counted them.
# TYPE mlsdm_tokens_total counter
mlsdm_tokens_total{kind="embed",model="local/good",type="prompt"} 7
`), "mlsdm_requests_total", "mlsdm_tokens_total", "mlsdm_embedded_inputs_total"))
}

// TestMetricsAreBounded: some servers take every model name, and a caller who makes them up must not fill the memory.
func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	s := doortest.Start(t)
	reg := prometheus.NewRegistry()
	opts := options(t)
	opts.Metrics = reg
	open(t, s, opts, func(_ context.Context, c *door.Call) ([]byte, error) {
		c.Report.Model, c.Report.Inputs, c.Report.PromptTokens = "any/"+string(c.Body), 1, 1
		return []byte("{}"), nil
	})
	const asked, named = 300, 200
	for i := range asked {
		s.Ask(t, "mlsdm.embed", []byte(strconv.Itoa(i)))
	}
	for range asked {
		s.Processed(t) // each still tells its own model
	}
	n, err := testutil.GatherAndCount(reg, "mlsdm_requests_total")
	require.NoError(t, err)
	require.Equal(t, named+1, n)
	families, err := reg.Gather()
	require.NoError(t, err)
	total := 0.0
	for _, f := range families {
		if f.GetName() == "mlsdm_requests_total" {
			for _, m := range f.GetMetric() {
				total += m.GetCounter().GetValue()
			}
		}
	}
	require.InDelta(t, asked, total, 0)
}
