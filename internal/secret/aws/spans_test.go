package aws_test

import (
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/aws"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// TestSpans: requests are spans that name no secret.
func TestSpans(t *testing.T) {
	t.Parallel()
	f := &fake{secrets: map[string]stored{}}
	f.put("payroll", secrettest.Content{Text: secrettest.Canary})
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	tracer, names := secrettest.Spans(t, "payroll", "absent", "AKID")
	s, err := aws.New(aws.Config{
		Region: region, Endpoint: server.URL, Tracer: tracer,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET"+secrettest.Canary, ""),
	})
	require.NoError(t, err)
	for _, path := range []string{"payroll", "absent"} {
		_, err = s.Get(t.Context(), secret.Ref{Store: secret.StoreAWS, Path: path})
		require.Equal(t, path == "payroll", err == nil, err)
	}
	require.Equal(t, []string{"POST /", "POST /"}, names())
}
