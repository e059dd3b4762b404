// Package aws reads secrets from AWS Secrets Manager.
package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

// Config says where secrets are.
type Config struct {
	Region string
	// Endpoint and Credentials replace what the SDK finds in the environment, for tests.
	Endpoint    string
	Credentials aws.CredentialsProvider
}

// Store is Secrets Manager as a store of secrets. Make one with [New].
type Store struct{ client *secretsmanager.Client }

// New returns a store; it asks nothing yet. Credentials come from where the AWS SDK looks for them: the environment, the
// shared files, the role of the container or of the machine.
func New(cfg Config) (*Store, error) {
	if cfg.Region == "" {
		return nil, errors.New("aws: there is no region")
	}
	options := []func(*config.LoadOptions) error{
		config.WithRegion(cfg.Region),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(bounded.Timeout)), // theirs, for AWS_CA_BUNDLE
		config.WithRetryMaxAttempts(1), // who asks may ask again
	}
	if cfg.Credentials != nil {
		options = append(options, config.WithCredentialsProvider(cfg.Credentials))
	}
	loaded, err := config.LoadDefaultConfig(context.Background(), options...) // reads files, and dials nobody
	if err != nil {
		return nil, fmt.Errorf("aws: %w", err)
	}
	client := secretsmanager.NewFromConfig(loaded, func(o *secretsmanager.Options) {
		o.HTTPClient = httpClient{o.HTTPClient}
		if cfg.Endpoint != "" {
			o.BaseEndpoint = aws.String(cfg.Endpoint)
		}
	})
	return &Store{client: client}, nil
}

// httpClient bounds the answers of another one.
type httpClient struct{ secretsmanager.HTTPClient }

// Do implements [secretsmanager.HTTPClient].
func (c httpClient) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.HTTPClient.Do(req)
	if err != nil {
		return nil, err
	}
	resp.Body = bounded.Body(resp.Body)
	return resp, nil
}

// Source implements [secret.Store].
func (s *Store) Source() string { return "aws" }

// Get implements [secret.Store]. It reads the current version.
func (s *Store) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	found, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(ref.Path)})
	if err != nil {
		return secret.Entry{}, failure(ctx, err)
	}
	if found.SecretString == nil {
		return secret.Entry{}, fmt.Errorf("%w: it is binary, not text", secret.ErrUnusable)
	}
	return secret.NewEntry(s.Source(), aws.ToString(found.VersionId), *found.SecretString)
}

// failure says in the words of a store what the SDK said: by the code of AWS, whose texts are not ours to print.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking aws: %w", ctx.Err())
	}
	var answer smithy.APIError
	if !errors.As(err, &answer) { // not reached, or nothing to sign the request with
		return fmt.Errorf("%w: %w", secret.ErrUnavailable, err)
	}
	kind := secret.ErrUnavailable // also throttling, and every fault of theirs
	switch answer.ErrorCode() {
	case "ResourceNotFoundException":
		kind = secret.ErrNotFound
	case "AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException",
		"InvalidSignatureException", "MissingAuthenticationTokenException", "IncompleteSignature", "DecryptionFailure":
		kind = secret.ErrDenied
	case "InvalidRequestException", "InvalidParameterException", "ValidationException": // marked for deletion, for example
		kind = secret.ErrUnusable
	}
	return fmt.Errorf("%w: aws answers %s", kind, answer.ErrorCode())
}
