package client_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// vectors answers each text with its length.
func vectors(r *bus.Request) (events.EmbeddingsRequest, events.EmbeddingsResponse, error) {
	var req events.EmbeddingsRequest
	err := events.DecodeJSON(r.Body, &req)
	resp := events.EmbeddingsResponse{Object: "list", Model: "fake/length"}
	for i, text := range req.Input {
		v := events.Vector{Values: []float32{float32(len(text)), 0.1}, Base64: req.EncodingFormat == events.EncodingBase64}
		resp.Data = append(resp.Data, events.Embedding{Object: "embedding", Index: i, Embedding: v})
	}
	return req, resp, err
}

func TestEmbed(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	formats := make(chan string, 4)
	serve(t, s, events.OpEmbed, func(_ context.Context, r *bus.Request) error {
		req, resp, err := vectors(r)
		if err != nil {
			return err
		}
		formats <- req.EncodingFormat
		resp.Model = "fake/" + r.Caller
		return respond(r, resp)
	})
	c := connect(t, s)

	resp, err := c.Embed(within(t), events.EmbeddingsRequest{Input: events.TextInput{"a", "abc"}})
	require.NoError(t, err)
	require.Equal(t, events.EncodingBase64, <-formats, "short and exact on the way")
	require.Equal(t, "fake/default", resp.Model)
	require.Equal(t, events.Vector{Values: []float32{3, 0.1}}, resp.Data[1].Embedding, "plain numbers for who did not ask for base64")

	resp, err = connect(t, s, client.Caller("checkout")).Embed(within(t), events.EmbeddingsRequest{
		Input: events.TextInput{"a"}, EncodingFormat: events.EncodingFloat,
	})
	require.NoError(t, err)
	require.Equal(t, events.EncodingFloat, <-formats)
	require.Equal(t, "fake/checkout", resp.Model, "the caller is in the subject")
}

func TestEmbedRefusesRepliesThatDoNotFit(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*events.EmbeddingsResponse){
		"one missing":  func(r *events.EmbeddingsResponse) { r.Data = r.Data[:1] },
		"out of order": func(r *events.EmbeddingsResponse) { r.Data[0], r.Data[1] = r.Data[1], r.Data[0] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bustest.Start(t, bustest.Bare())
			serve(t, s, events.OpEmbed, func(_ context.Context, r *bus.Request) error {
				_, resp, err := vectors(r)
				if err != nil {
					return err
				}
				spoil(&resp)
				return respond(r, resp)
			})
			_, err := connect(t, s).Embed(within(t), events.EmbeddingsRequest{Input: events.TextInput{"a", "b"}})
			requireCode(t, events.CodeInternal, err)
		})
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	serve(t, s, events.OpGenerate, func(_ context.Context, r *bus.Request) error {
		var req events.ChatRequest
		if err := events.DecodeJSON(r.Body, &req); err != nil {
			return err
		}
		if req.Stream {
			return events.Errorf(events.CodeInternal, "asked for a stream")
		}
		return respond(r, events.ChatResponse{Choices: []events.ChatChoice{{
			Message: events.ChatMessage{Role: events.RoleAssistant, Content: events.TextContent("you said " + req.Prompt)},
		}}})
	})
	resp, err := connect(t, s).Generate(within(t), events.ChatRequest{Prompt: "hello", Stream: true})
	require.NoError(t, err)
	require.Equal(t, "you said hello", resp.Choices[0].Message.Content.String())
}

func TestErrorsArriveWhole(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	serve(t, s, events.OpEmbed, func(context.Context, *bus.Request) error {
		return &events.Error{
			Code: events.CodeRateLimited, Message: "slow down", Retryable: true, RetryAfter: 1500 * time.Millisecond, Provider: "openai",
		}
	})
	_, err := connect(t, s).Embed(within(t), events.EmbeddingsRequest{Input: events.TextInput{"a"}})
	var coded *events.Error
	require.ErrorAs(t, err, &coded)
	require.Equal(t, &events.Error{
		Code: events.CodeRateLimited, Message: "slow down", Retryable: true, RetryAfter: 1500 * time.Millisecond, Provider: "openai",
	}, coded)
}

func TestBadRequestsAreNotSent(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare(), bustest.Configure(func(o *server.Options) { o.MaxPayload = 64 << 10 }))
	sub := listen(t, s, "mlsdm.>")
	c := connect(t, s)
	ctx := within(t)

	_, err := c.Embed(ctx, events.EmbeddingsRequest{})
	requireCode(t, events.CodeInvalidArgument, err)
	_, err = c.Generate(ctx, events.ChatRequest{})
	requireCode(t, events.CodeInvalidArgument, err)
	_, err = c.SubmitEmbed(ctx, "", events.EmbeddingsRequest{Input: events.TextInput{""}})
	requireCode(t, events.CodeInvalidArgument, err)
	_, err = c.SubmitEmbed(ctx, "not a token", events.EmbeddingsRequest{Input: events.TextInput{"a"}})
	requireCode(t, events.CodeInvalidArgument, err)
	_, err = c.SubmitEmbed(ctx, "", events.EmbeddingsRequest{Input: events.TextInput{"a"}}, client.KeepResult(48*time.Hour))
	requireCode(t, events.CodeInvalidArgument, err)
	requireCode(t, events.CodeInvalidArgument, c.Result(ctx, "a.b", nil))
	requireCode(t, events.CodeInvalidArgument, c.Call(ctx, "ci.>", nil, nil))
	requireCode(t, events.CodeInvalidArgument, c.Call(ctx, events.OpCIStatus, func() {}, nil))
	for err := range streamErrors(ctx, c, events.ChatRequest{}) {
		requireCode(t, events.CodeInvalidArgument, err)
	}

	_, err = c.Generate(ctx, events.ChatRequest{Prompt: strings.Repeat("x", 65<<10)})
	requireCode(t, events.CodeInvalidArgument, err)
	require.ErrorContains(t, err, "65536", "says what the server takes")
	_, err = c.Generate(ctx, events.ChatRequest{Prompt: strings.Repeat("x", events.MaxBody)})
	requireCode(t, events.CodeInvalidArgument, err)
	_, err = c.PublishData(ctx, "custom.big", []byte(strings.Repeat("x", 65<<10)))
	requireCode(t, events.CodeInvalidArgument, err)

	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	_, err = c.Generate(late, events.ChatRequest{Prompt: "x"})
	requireCode(t, events.CodeDeadlineExceeded, err)

	require.NoError(t, c.Conn().Flush())
	pending, _, err := sub.Pending()
	require.NoError(t, err)
	require.Zero(t, pending, "nothing of it reached the bus")
}

func TestPatienceIsSentAlong(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	sub := listen(t, s, "mlsdm.ci.status")
	c := connect(t, s, client.Timeout(200*time.Millisecond))

	requireCode(t, events.CodeDeadlineExceeded, c.Call(t.Context(), events.OpCIStatus, nil, nil))
	msg, err := sub.NextMsgWithContext(within(t))
	require.NoError(t, err)
	ms, err := strconv.Atoi(msg.Header[events.HeaderTimeoutMS][0])
	require.NoError(t, err)
	require.InDelta(t, 200, ms, 199)
	require.JSONEq(t, "{}", string(msg.Data))

	canceled, cancel := context.WithCancel(t.Context())
	go func() {
		if _, err := sub.NextMsgWithContext(within(t)); err == nil {
			cancel()
		}
	}()
	requireCode(t, events.CodeCanceled, c.Call(canceled, events.OpCIStatus, nil, nil))
	cancel()
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	err := connect(t, s, client.Prefix("other")).Call(within(t), events.OpCIStatus, nil, nil)
	requireCode(t, events.CodeUnavailable, err)
	require.ErrorContains(t, err, "other.ci.status")
}

func TestAForbiddenSubjectIsNoTimeout(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare(), bustest.Configure(func(o *server.Options) {
		o.Users = []*server.User{{Username: "checkout", Password: "pw", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{"mlsdm.as.checkout.>"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_checkout.>"}},
		}}}
	}))
	login := client.NATS(nats.UserInfo("checkout", "pw"))
	ctx := within(t)

	plain := connect(t, s, login)
	requireCode(t, events.CodePermissionDenied, plain.Call(ctx, events.OpCIStatus, nil, nil))
	for err := range streamErrors(ctx, plain, events.ChatRequest{Prompt: "x"}) {
		requireCode(t, events.CodePermissionDenied, err)
	}
	_, err := plain.PublishData(ctx, "custom.x", nil)
	requireCode(t, events.CodePermissionDenied, err)

	own := connect(t, s, login, client.Caller("checkout"))
	requireCode(t, events.CodeUnavailable, own.Call(ctx, events.OpCIStatus, nil, nil))
}

func TestConnect(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare(), bustest.Configure(func(o *server.Options) { o.Username, o.Password = "u", "right" }))

	_, err := client.Connect(within(t), s.URL(), client.NATS(nats.UserInfo("u", "wrong")))
	requireCode(t, events.CodeUnauthenticated, err)

	_, err = client.Connect(within(t), "nats://me:hunter2@127.0.0.1:1")
	requireCode(t, events.CodeUnavailable, err)
	require.NotContains(t, err.Error(), "hunter2")

	for _, bad := range []string{"nats://me:hunter2%zz@127.0.0.1:4222", "me:hunter2/x@127.0.0.1", "nats://127.0.0.1:1,nats://u s:hunter2@h"} {
		_, err = client.Connect(within(t), bad)
		requireCode(t, events.CodeInvalidArgument, err)
		require.NotContains(t, err.Error(), "hunter2")
	}

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client.Connect(canceled, s.URL())
	require.ErrorIs(t, err, context.Canceled)

	for name, option := range map[string]client.Option{
		"caller": client.Caller("a.b"), "prefix": client.Prefix("a b"), "timeout": client.Timeout(0),
	} {
		_, err = client.Connect(within(t), s.URL(), option)
		requireCode(t, events.CodeInvalidArgument, err)
		require.ErrorContains(t, err, name)
	}

	nc, err := nats.Connect("nats://127.0.0.1:1, "+s.URL(), nats.UserInfo("u", "right"))
	require.NoError(t, err)
	defer nc.Close()
	c, err := client.New(nc)
	require.NoError(t, err)
	c.Close()
	require.False(t, nc.IsClosed(), "a connection stays its owner's")

	c, err = client.Connect(within(t), "nats://127.0.0.1:1,"+s.URL(), client.NATS(nats.UserInfo("u", "right")))
	require.NoError(t, err)
	c.Close()
	requireCode(t, events.CodeUnavailable, c.Call(within(t), events.OpCIStatus, nil, nil))
}
