package scrub_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/scrub"
)

// canaries are texts that must not pass, by what they are.
func canaries() map[string]string {
	return map[string]string{
		"bearer":        "Bearer a1b2c3d4e5f6g7",
		"bearer, small": "bearer a1b2c3d4e5f6g7",
		"basic":         "Basic dXNlcjpwYXNzd29yZA==",
		"OpenAI":        "sk-proj-abcdefGHIJKL0123456789mnopqrst",
		"Anthropic":     "sk-ant-api03-abcdefGHIJKL0123456789",
		"Standard":      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"AWS":           "AKIAIOSFODNN7EXAMPLE",
		"GitHub":        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
		"GitHub, fine":  "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz",
		"GitLab":        "glpat-abcdefGHIJ0123456789",
		"Slack":         "xoxb-123456789012-abcdefGHIJKL",
		"Hugging Face":  "hf_abcdefGHIJKLmnopqrstUVWX",
		"Vault":         "hvs.CAESIJabcdefGHIJKLmnopqrst",
		"JWT":           "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
		"PEM":           "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG\n-----END PRIVATE KEY-----",
		"PEM, half":     "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG",
		"Google":        "AIzaSyA1234567890abcdefghijklmnopqrstu",
		"nkey":          "SUAM5ZXXG3OSHCJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRSTU",
		"pair":          "password=correcthorse",
		"pair, JSON":    `"api_key": "correcthorse"`,
		"pair, JSON in": `\"api_key\": \"correcthorse\"`,
		"header":        "X-Api-Key: correcthorse",
		"user info":     "https://bob:correcthorse@example.com/x",
		"token alone":   "nats://s3cr3ttoken@bus:4222",
		"query":         "https://example.com/x?access_token=correcthorse",
		"e-mail":        "jane.doe+news@mail.example.co.uk",
		"e-mail, IDN":   "jürgen@bücher.example",
		"e-mail, URL":   "jane.doe%40example.com",
		"card":          "4111 1111 1111 1111",
		"card, plain":   "5555555555554444",
		"card, dashes":  "3782-822463-10005",
		"phone":         "+49 170 1234567",
		"phone, plain":  "+14155552671",
		"phone, US":     "(415) 555-2671",
		"phone, US 2":   "415-555-2671",
		"phone, local":  "0170 1234567",
	}
}

// kept returns what must be gone of a canary: the whole, and its most telling part.
func kept(canary string) []string {
	parts := []string{canary}
	for _, part := range []string{"correcthorse", "s3cr3ttoken", "MIIEvQIBADANBgkqhkiG", "dXNlcjpwYXNzd29yZA"} {
		if strings.Contains(canary, part) {
			parts = append(parts, part)
		}
	}
	return parts
}

func requireGone(t *testing.T, canary, text string) {
	t.Helper()
	for _, part := range kept(canary) {
		require.NotContains(t, text, part)
	}
}

func TestCanariesDoNotPass(t *testing.T) {
	t.Parallel()
	s := scrub.New(scrub.Options{})
	for name, canary := range canaries() {
		for _, around := range []string{"%", "before % after", "(%)", "\"%\"", "x=1, %, y=2", "line\n%\nline", "%.", "err: %: no"} {
			text := strings.ReplaceAll(around, "%", canary)
			clean := s.Text(text)
			require.Contains(t, clean, scrub.Redacted, "%s in %q", name, text)
			requireGone(t, canary, clean)
			require.Equal(t, clean, s.Text(clean), "%s: what is clean stays as it is", name)
		}
	}
}

// What is asked of telemetry is told: a scrubber that takes away ids is switched off by whoever needs them.
func TestWhatIsNoSecretPasses(t *testing.T) {
	t.Parallel()
	s := scrub.New(scrub.Options{})
	for _, text := range []string{
		"", "nats", "process mlsdm.event.request.processed.>", "openai/gpt-4o-mini-2024-07-18", "text-embedding-3-small", "local/echo",
		"01JDN2V8G8Z3T5Q9W4X7Y6R2K1", "550e8400-e29b-41d4-a716-446655440000", "4bf92f3577b34da6a3ce929d0e0e4736", "17654321098",
		"1732400000000000000", "2026-11-23T21:53:18.123456789Z", "2026-11-23 21:53:18.123", "10.0.0.1:4222", "[::1]:4222", "127.0.0.1",
		"https://api.openai.com/v1/chat/completions", "dial tcp 127.0.0.1:4222: connect: connection refused",
		"secret:openai_api_key is not there", "unexpected token: }", "max_tokens=4096", "input_tokens: 1234567", "task-list-of-things", "disk-pressure", "risk-assessment-done",
		"basic authentication is off", "Bearer of news", "the key is missing", "code: unavailable", "a retry after 1500ms (attempt 3 of 5)", "chatcmpl-9XyZ01234567890abcdefgh",
		"$JS.API.CONSUMER.MSG.NEXT.MLSDM_EVENTS.dispatcher", "goroutine 123 [running]:\nmain.main()\n\t/src/main.go:42 +0x1d", "user@host", "github.com/jackc/pgx/v5@v5.7.1",
		"gen_ai.usage.input_tokens", "HTTP 503", "1,234,567 bytes", "3.14159265358979", "0.000012345678",
	} {
		require.Equal(t, text, s.Text(text))
	}
}

func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	s := scrub.New(scrub.Options{})
	text := s.Text(strings.Repeat("word ", 2000))
	require.LessOrEqual(t, len(text), 4<<10)
	require.Greater(t, len(text), 3<<10)
	require.True(t, strings.HasSuffix(text, "word"+scrub.Cut), text[len(text)-20:])
	require.Equal(t, scrub.Cut, s.Text(strings.Repeat("x", 5000)), "a word that does not end may be the first half of anything")
	for at := 3800; at < 4200; at += 7 { // wherever the cut is, no half of anything stays
		for name, canary := range canaries() {
			clean := s.Text(strings.Repeat("w ", at/2) + canary + strings.Repeat(" w", 1000))
			requireGone(t, canary, clean)
			require.NotContains(t, clean, "correcth", name)
			if half := canary[:len(canary)*2/3]; !strings.Contains(canary, "correcthorse") {
				require.NotContains(t, clean, half, name)
			}
		}
	}
}

// FuzzText puts a canary of each kind into any surroundings.
func FuzzText(f *testing.F) {
	f.Add("", "")
	f.Add("the answer to ", ", he said")
	f.Add("a=b; ", " +49 170 1234567")
	f.Add("-----BEGIN ", "https://")
	s := scrub.New(scrub.Options{})
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, canary := range canaries() {
			for _, part := range kept(canary) {
				if strings.Contains(before+after, part) {
					return // it is not ours
				}
			}
			// What stands beside a canary is no part of it: a space ends it.
			clean := s.Text(before + " " + canary + " " + after)
			requireGone(t, canary, clean)
			requireGone(t, canary, s.Text(clean))
		}
	})
}
