// Command upstream is the model server of the benchmarks: it answers chat completions with a constant answer of 1.2 KB, or with a
// stream of 22 chunks where the request asks for one. It is a process of its own, so that what it costs is told apart from what
// passing on costs.
//
// It answers POST /v1/chat/completions at once, and POST /after/<duration>/v1/chat/completions after a while. It answers
// POST /v1/embeddings with one vector of 1536 numbers for each text, always the same, in base64.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		panic(err)
	}
}

// run serves on a free port, which it prints, until ctx ends.
func run(ctx context.Context, out io.Writer) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	m := newModel()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", m.answer)
	mux.HandleFunc("POST /v1/embeddings", newEmbeddings().answer)
	mux.HandleFunc("POST /after/{wait}/v1/chat/completions", m.answerLate)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // nothing is lost by it
	if _, err := fmt.Fprintf(out, "http://%s\n", l.Addr()); err != nil {
		return err
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

const (
	answerSize = 1200 // bytes of an answer
	chunks     = 22   // of a stream: the role, words, the reason why it stops, the usage
)

// model knows one answer.
type model struct {
	whole   []byte
	length  string
	chunks  [][]byte
	buffers sync.Pool // of *bytes.Buffer
}

func newModel() *model {
	const (
		head  = `{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"%s","created":1741569952,"model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_fc9f1d7035",`
		usage = `"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}`
	)
	before := fmt.Sprintf(head, "chat.completion") + `"choices":[{"index":0,"message":{"role":"assistant","content":"`
	after := `","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],` + usage
	text := strings.Repeat("The answer is forty-two. ", answerSize)[:answerSize-len(before)-len(after)]
	m := &model{whole: []byte(before + text + after), buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
	m.length = strconv.Itoa(len(m.whole))
	add := func(rest string) {
		m.chunks = append(m.chunks, []byte("data: "+fmt.Sprintf(head, "chat.completion.chunk")+rest+"\n\n"))
	}
	add(`"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}`)
	for range chunks - 3 {
		add(`"choices":[{"index":0,"delta":{"content":" forty-two"},"logprobs":null,"finish_reason":null}]}`)
	}
	add(`"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}`)
	add(`"choices":[],` + usage)
	m.chunks = append(m.chunks, []byte("data: [DONE]\n\n"))
	return m
}

// answerLate answers after the time that stands in the path.
func (m *model) answerLate(w http.ResponseWriter, r *http.Request) {
	wait, err := time.ParseDuration(r.PathValue("wait"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(wait):
		m.answer(w, r)
	case <-r.Context().Done():
	}
}

// answer answers.
func (m *model) answer(w http.ResponseWriter, r *http.Request) {
	buffer, ok := m.buffers.Get().(*bytes.Buffer)
	if !ok {
		return
	}
	defer m.buffers.Put(buffer)
	buffer.Reset()
	if _, err := buffer.ReadFrom(r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !bytes.Contains(buffer.Bytes(), []byte(`"stream":true`)) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", m.length)
		_, _ = w.Write(m.whole) // who asks sees that it is missing
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	for _, chunk := range m.chunks {
		_, _ = w.Write(chunk) // a client that has gone sees no more
		if flush.Flush() != nil {
			return
		}
	}
}
