package sender_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
)

// sink answers every request with 204 as cheaply as can be, so that what is measured is the sender.
func sink(b *testing.B, length int) string {
	b.Helper()
	listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp4", "127.0.0.1:0")
	require.NoError(b, err)
	b.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }() // the benchmark is over
				r := bufio.NewReader(c)
				for {
					for {
						line, err := r.ReadSlice('\n')
						if err != nil {
							return
						}
						if len(line) == len("\r\n") {
							break
						}
					}
					if _, err := r.Discard(length); err != nil {
						return
					}
					if _, err := io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String() + "/hook?token=a"
}

const connections = 64

// benchmark posts 1 KiB over 64 kept connections.
func benchmark(b *testing.B, post func(r sender.Request, body []byte) error) {
	body := bytes.Repeat([]byte("x"), 1<<10)
	r := request(b, sink(b, len(body)))
	r.Timeout = 15 * time.Second
	b.ReportAllocs()
	b.SetParallelism(connections / 2) // times GOMAXPROCS
	b.ResetTimer()
	before := cpu(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := post(r, body); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpu returns what this process has used, sink included; it tells more than the clock on a busy machine.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func header() []egress.Field {
	return []egress.Field{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "User-Agent", Value: "mlsdm-webhooks/test"},
		{Name: "Webhook-Id", Value: "evt_1"},
		{Name: "Webhook-Timestamp", Value: "1700000000"},
		{Name: "Webhook-Signature", Value: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		{Name: "X-Tenant", Value: "a"},
	}
}

func BenchmarkSend(b *testing.B) {
	benchmark(b, func(r sender.Request, body []byte) error {
		r.Header, r.Body = header(), body
		return sender.Send(b.Context(), r).Err
	})
}

// BenchmarkBare is the least that anybody does who posts with net/http.
func BenchmarkBare(b *testing.B) {
	benchmark(b, func(r sender.Request, body []byte) error {
		ctx, cancel := context.WithTimeout(b.Context(), r.Timeout)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL.String(), bytes.NewReader(body))
		if err != nil {
			return err
		}
		for _, f := range header() {
			request.Header[f.Name] = []string{f.Value}
		}
		answer, err := r.Client.Do(request)
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	})
}
