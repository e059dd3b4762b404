// Package aws reads secrets from AWS Secrets Manager: aws:mlsdm/openai, and of a secret that is a JSON object one text,
// aws:mlsdm/openai#api_key. Behind @ stands a version: its id, which has 32 to 64 characters, as a UUID does, or else a staging
// label, such as AWSPREVIOUS. Without it the current version is read, AWSCURRENT.
//
// A secret that is marked for deletion is [secret.ErrGone]. One that AWS cannot decrypt, as its KMS key is disabled or not ours
// to use, is [secret.ErrDenied]. A binary secret is one if its bytes are text in UTF-8.
package aws

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

// What has 32 to 64 characters behind @ is a version's id (ClientRequestToken, in AWS's words), the rest a staging label.
const minVersionID, maxVersionID = 32, 64

// A request that finds no connection, or a fault of theirs, is made once more, soon. One that is throttled is not: who asks
// may ask again, and not at once.
const (
	attempts   = 2
	maxBackoff = 200 * time.Millisecond
)

// Config says where secrets are.
type Config struct {
	Region string
	// Endpoint and Credentials replace what the SDK finds in the environment, for tests.
	Endpoint    string
	Credentials aws.CredentialsProvider
	// Tracer makes spans of the requests, which name no secret; nil makes none.
	Tracer trace.TracerProvider
}

// Store is Secrets Manager as a store of secrets. Make one with [New].
type Store struct{ client *secretsmanager.Client }

// New returns a store; it asks nothing yet. Credentials come from where the AWS SDK looks for them: the environment, the
// shared files, a web identity, the role of the container or of the machine.
func New(cfg Config) (*Store, error) {
	if cfg.Region == "" {
		return nil, errors.New("aws: there is no region")
	}
	options := []func(*config.LoadOptions) error{
		config.WithRegion(cfg.Region),
		config.WithHTTPClient(newBuildable()),
		config.WithAPIOptions([]func(*middleware.Stack) error{boundAnswers}),
		config.WithLogger(logging.Nop{}),
		config.WithRetryer(newRetryer),
	}
	if cfg.Credentials != nil {
		options = append(options, config.WithCredentialsProvider(cfg.Credentials))
	}
	loaded, err := config.LoadDefaultConfig(context.Background(), options...) // reads files, and dials nobody
	if err != nil {
		return nil, fmt.Errorf("aws: %w", err)
	}
	client, err := newClient(loaded.HTTPClient, cfg.Tracer)
	if err != nil {
		return nil, err
	}
	return &Store{client: secretsmanager.NewFromConfig(loaded, func(o *secretsmanager.Options) {
		o.HTTPClient = client
		if cfg.Endpoint != "" {
			o.BaseEndpoint = aws.String(cfg.Endpoint)
		}
	})}, nil
}

// newRetryer says when a request is made once more.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff, o.RateLimiter = attempts, maxBackoff, ratelimit.None
		o.Retryables = []retry.IsErrorRetryable{
			retry.NoRetryCanceledError{},
			retry.RetryableConnectionError{},
			retry.RetryableHTTPStatusCode{Codes: retry.DefaultRetryableHTTPStatusCodes},
		}
	})
}

// Source implements [secret.Store].
func (s *Store) Source() string { return secret.StoreAWS }

// Get implements [secret.Store]. It takes at most [bounded.Timeout], retries and credentials included.
func (s *Store) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	if err := ref.Check(s.Source()); err != nil {
		return secret.Entry{}, fmt.Errorf("%w: %w", secret.ErrDenied, err)
	}
	input := &secretsmanager.GetSecretValueInput{SecretId: aws.String(ref.Path)}
	switch size := len(ref.Version); {
	case size >= minVersionID && size <= maxVersionID:
		input.VersionId = aws.String(ref.Version)
	case size > 0:
		input.VersionStage = aws.String(ref.Version)
	}
	limited, cancel := context.WithTimeout(ctx, bounded.Timeout)
	defer cancel()
	found, err := s.client.GetSecretValue(limited, input)
	if err != nil {
		return secret.Entry{}, failure(ctx, err)
	}
	text := string(found.SecretBinary)
	if found.SecretString != nil {
		text = *found.SecretString
	}
	text, err = secret.Pick(text, ref.Field)
	if err != nil {
		return secret.Entry{}, err
	}
	return secret.NewEntry(s.Source(), aws.ToString(found.VersionId), text)
}
