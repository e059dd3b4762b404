package target_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	pem := certificate(t)
	for name, spec := range map[string]events.EndpointSpec{
		"least":       {},
		"a reference": {URL: "secret:hooks.slack", TLS: &events.EndpointTLS{ServerName: "example.com"}},
		"another":     {URL: "env:WEBHOOK_SLACK"},
		"all of it": {
			URL: "https://example.com:8443/hook?x=1", Description: "d", Metadata: map[string]string{"team": "a"}, Events: []string{"ci.*", "delivery.failed", ">"},
			Filter: `data.total > 1`, Format: events.FormatMLSDM, Headers: map[string]string{"X-A": "1", "Authorization": "secret:token", "Cookie": "a=b"},
			Signing: []events.EndpointSigning{{}, {Method: "v1a"}, {Method: "v1", Key: "secret:a"}, {Method: "v1a", Key: "secret:a"}, {}}, BodySignature: true,
			Retry: []string{"1s", "1m"}, Timeout: "30s", RateLimit: &events.EndpointRate{PerSecond: 0.5, Burst: 3}, Concurrency: 1, Ordering: events.OrderingStrict,
			TLS: &events.EndpointTLS{CA: pem + "\n" + pem, Certificate: pem, Key: "secret:tls.key", ServerName: "inner.example.com"}, Disabled: true,
		},
		"plain http":        {URL: "http://10.0.0.1/"},
		"a name of address": {TLS: &events.EndpointTLS{ServerName: "::1"}},
		"header values":     {Headers: map[string]string{"X-Empty": "", "X-Tab": "a\tb", "X-Utf8": "привет", "x-lower": "***"}},
		"unordered at once": {Concurrency: 9, Ordering: events.OrderingNone},
	} {
		spec.ID = "a"
		if spec.URL == "" {
			spec.URL = "https://example.com/hook"
		}
		require.NoError(t, target.Check(spec), name)
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	pem := certificate(t)
	type spec = events.EndpointSpec
	for name, tt := range map[string]struct {
		spec spec
		want string
	}{
		"no URL":                 {spec{URL: " "}, "url: "},
		"no http":                {spec{URL: "ftp://example.com/s3cret"}, "url: its scheme"},
		"a port too high":        {spec{URL: "https://example.com:65536/s3cret"}, "url: its port"},
		"a masked URL":           {spec{URL: "https://***@example.com/s3cret"}, "url has ***"},
		"an empty reference":     {spec{URL: "secret:"}, "url: the reference"},
		"a path for a reference": {spec{URL: "secret:../s3cret"}, "url: the reference"},
		"a pattern":              {spec{Events: []string{"ci.>", "ci..x"}}, `events: the pattern "ci..x"`},
		"a filter":               {spec{Filter: "tipe == 1"}, "line 1, column 1: undeclared reference"},
		"a schedule":             {spec{Retry: []string{"fast", "1s"}}, "retry"},
		"no strict order":        {spec{Ordering: events.OrderingStrict, Concurrency: 2}, "ordering strict keeps one webhook in flight, and concurrency asks for 2"},
		"a bound":                {spec{Timeout: "6m"}, "timeout"},
		// Headers.
		"no name":             {spec{Headers: map[string]string{"": "x"}}, "no name"},
		"a name with a colon": {spec{Headers: map[string]string{"X:A": "x"}}, `"X:A"`},
		"a name with a line":  {spec{Headers: map[string]string{"X-A\r\nHost": "x"}}, "made of letters"},
		"a name in Cyrillic":  {spec{Headers: map[string]string{"Ключ": "x"}}, "made of letters"},
		"a pseudo header":     {spec{Headers: map[string]string{":authority": "x"}}, "made of letters"},
		"the same header":     {spec{Headers: map[string]string{"X-A": "1", "x-a": "2"}}, "the same header"},
		"an injected header":  {spec{Headers: map[string]string{"X-A": "s3cret\r\nHost: evil"}}, "headers.X-A: the value has a control character at byte 6"},
		"a NUL":               {spec{Headers: map[string]string{"X-A": "s3cret\x00"}}, "control character"},
		"a DEL":               {spec{Headers: map[string]string{"X-A": "s3cret\x7f"}}, "control character"},
		"white space":         {spec{Headers: map[string]string{"X-A": "s3cret "}}, "white space around"},
		"a long value":        {spec{Headers: map[string]string{"X-A": strings.Repeat("s3cret", 1000)}}, "at most 4096"},
		"a reference to none": {spec{Headers: map[string]string{"X-A": "env:"}}, "headers.X-A: the reference"},
		"a masked value":      {spec{Headers: map[string]string{"Authorization": "***"}}, "headers.Authorization has ***"},
		// Keys.
		"a key itself":          {spec{Signing: []events.EndpointSigning{{Key: "whsec_s3cret"}}}, "signing: a secret is named by a reference"},
		"a bad reference":       {spec{Signing: []events.EndpointSigning{{Key: "secret:a b"}}}, "signing: the reference"},
		"a key twice":           {spec{Signing: []events.EndpointSigning{{Key: "secret:a"}, {Method: "v1", Key: "secret:a"}}}, "key 2 is there before"},
		"no method":             {spec{Signing: []events.EndpointSigning{{Method: "v2"}}}, "signing.method"},
		"no key for the body":   {spec{BodySignature: true, Signing: []events.EndpointSigning{{Method: "v1a"}}}, "X-Webhook-Signature is made with a key of method v1"},
		"no key for the format": {spec{Format: events.FormatMLSDM, Signing: []events.EndpointSigning{{Method: "v1a"}}}, "X-Webhook-Signature"},
		// TLS.
		"nothing about TLS":          {spec{TLS: &events.EndpointTLS{}}, "tls is empty"},
		"TLS without TLS":            {spec{URL: "http://example.com", TLS: &events.EndpointTLS{CA: pem}}, "not one of https"},
		"no PEM":                     {spec{TLS: &events.EndpointTLS{CA: "s3cret"}}, "tls.ca: block 1 is not PEM"},
		"something behind":           {spec{TLS: &events.EndpointTLS{CA: pem + "s3cret"}}, "tls.ca: block 2 is not PEM"},
		"no certificate":             {spec{TLS: &events.EndpointTLS{CA: "-----BEGIN CERTIFICATE-----\nczNjcmV0\n-----END CERTIFICATE-----\n"}}, "tls.ca: block 1 is no certificate"},
		"a key as certificate":       {spec{TLS: &events.EndpointTLS{Certificate: "-----BEGIN PRIVATE KEY-----\nczNjcmV0\n-----END PRIVATE KEY-----\n", Key: "secret:a"}}, "a key belongs in a secret"},
		"a key before a certificate": {spec{TLS: &events.EndpointTLS{CA: "  -----BEGIN EC PRIVATE KEY-----\n  czNjcmV0\n  -----END EC PRIVATE KEY-----\n" + pem}}, "a key belongs in a secret"},
		"a key as it is":             {spec{TLS: &events.EndpointTLS{Certificate: pem, Key: "s3cret"}}, "tls.key: a secret is named by a reference"},
		"half a pair":                {spec{TLS: &events.EndpointTLS{Certificate: pem}}, "belong together"},
		"a name with a port":         {spec{TLS: &events.EndpointTLS{ServerName: "example.com:443"}}, "tls.server_name"},
		"a name with a slash":        {spec{TLS: &events.EndpointTLS{ServerName: "example.com/"}}, "tls.server_name"},
	} {
		tt.spec.ID = "a"
		if tt.spec.URL == "" {
			tt.spec.URL = "https://example.com/hook"
		}
		err := target.Check(tt.spec)
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), name)
		require.ErrorContains(t, err, tt.want, name)
		require.NotContains(t, err.Error(), "s3cret", name)
		require.NotContains(t, err.Error(), "\n", name)
	}
	require.ErrorContains(t, target.Check(spec{ID: "a b", URL: "https://example.com"}), "id has")
	require.ErrorContains(t, target.Check(spec{ID: "a"}), "url is missing")
}

// Everything that we send ourselves, and everything that belongs to the connection, is not for an endpoint to set.
func TestReservedHeaders(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Host", "Content-Length", "content-type", "Content-Encoding", "Transfer-Encoding", "CONNECTION", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection",
		"TE", "Trailer", "Upgrade", "Expect", "HTTP2-Settings", "Accept-Encoding", "User-Agent", "webhook-id", "Webhook-Timestamp", "WEBHOOK-SIGNATURE",
		"webhook-anything", "X-Webhook-Signature", "traceparent", "Tracestate", "Baggage",
	} {
		err := target.Check(events.EndpointSpec{ID: "a", URL: "https://example.com", Headers: map[string]string{name: "x"}})
		require.ErrorContains(t, err, "leave it out", name)
	}
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"https://example.com", "http://example.com:8080/hook?token=x", "https://user:pass@example.com/", "http://[::1]:80/", "HTTPS://EXAMPLE.com", "https://example.com:65535", "https://example.com:",
	} {
		_, err := target.ParseURL(good)
		require.NoError(t, err, good)
	}
	for bad, want := range map[string]string{
		"":                             "scheme",
		"example.com/s3cret":           "scheme",
		"ftp://example.com/s3cret":     "scheme",
		"file:///etc/s3cret":           "scheme",
		"https:///s3cret":              "no host",
		"https://:443/s3cret":          "no host",
		"https://example.com/#s3cret":  "fragment",
		"https://example.com/%zz":      "not a URL",
		"https://exa mple.com/s3cret":  "not a URL",
		"https://example.com:x/s3cret": "not a URL",
		"http://example.com/\ns3cret":  "not a URL",
		"http://example.com:0/s3cret":  "port",
		"http://example.com:99999":     "port",
	} {
		_, err := target.ParseURL(bad)
		require.ErrorContains(t, err, want, bad)
		require.NotContains(t, err.Error(), "s3cret")
	}
}

func TestCheckPattern(t *testing.T) {
	t.Parallel()
	for _, good := range []string{">", "*", "ci.*", "*.*", "ci.>", "*.>", "custom.a-b_C.1"} {
		require.NoError(t, target.CheckPattern(good), good)
	}
	for _, bad := range []string{"", ".", "ci.", ".ci", "ci..x", ">.ci", "ci.>.x", "ci*", "ci.x>", "c i", "ci.\n", "ключ", strings.Repeat("a", 200)} {
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(target.CheckPattern(bad)), bad)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("https://example.com", "ci.*", "type == 'x'", "X-A", "secret:a", "secret:k", "5s", "-----BEGIN CERTIFICATE-----")
	f.Add("secret:x", ">", "", "Authorization", "a\r\nb", "whsec_", "fast", "")
	f.Fuzz(func(t *testing.T, url, pattern, filter, name, value, key, retry, ca string) {
		err := target.Check(events.EndpointSpec{
			ID: "a", URL: url, Events: []string{pattern}, Filter: filter, Headers: map[string]string{name: value},
			Signing: []events.EndpointSigning{{Key: key}}, Retry: []string{retry}, TLS: &events.EndpointTLS{CA: ca, ServerName: key},
		})
		if err != nil {
			require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
			require.Less(t, len(err.Error()), 2000)
		}
	})
}
