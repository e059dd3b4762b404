package aws_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/hostiletest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/aws"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

// TestHostileServers is of the SDK's transport within our bounds.
func TestHostileServers(t *testing.T) { // it measures memory, and is not parallel
	hostiletest.Client{Most: bounded.MaxAnswer, ContentType: "application/x-amz-json-1.1", Ask: func(ctx context.Context, url string) error {
		s, err := aws.New(aws.Config{Region: region, Endpoint: url, Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", "")})
		if err != nil {
			return err
		}
		_, err = s.Get(ctx, secret.Ref{Store: "aws", Path: "key"})
		return err
	}}.Run(t)
}

// TestHostileCredentials is of the clients that the SDK makes for who gives it credentials.
func TestHostileCredentials(t *testing.T) {
	isolate(t)
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("jwt"), 0o600))
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.URL)
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token)
	t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/secretd")
	hostiletest.Client{Most: bounded.MaxAnswer, ContentType: "text/xml", Ask: func(ctx context.Context, url string) error {
		t.Setenv("AWS_ENDPOINT_URL_STS", url)
		s, err := aws.New(aws.Config{Region: region})
		if err != nil {
			return err
		}
		_, err = s.Get(ctx, secret.Ref{Store: "aws", Path: "key"})
		return err
	}}.Run(t)
}
