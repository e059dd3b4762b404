package aws_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/aws"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// fake answers as Secrets Manager does (GetSecretValue, application/x-amz-json-1.1).
type fake struct{ answers map[string]any }

// ServeHTTP implements [http.Handler].
func (f fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	var req struct{ SecretID string }
	if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || json.NewDecoder(r.Body).Decode(&req) != nil ||
		!strings.Contains(r.Header.Get("Authorization"), "AKID") || !strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/") {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"ValidationException"}`))
		return
	}
	name, _ := strings.CutPrefix(req.SecretID, "mlsdm/")
	answer, ok := f.answers[name]
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret."}`))
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// start returns a store over a handler.
func start(t *testing.T, h http.Handler) secret.Store {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return at(t, server.URL)
}

// at returns a store over a server.
func at(t *testing.T, endpoint string) secret.Store {
	t.Helper()
	s, err := aws.New(aws.Config{
		Region: "eu-central-1", Endpoint: endpoint, Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
	})
	require.NoError(t, err)
	return s
}

// failing answers every request with one error.
func failing(status int, code string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"__type":"` + code + `","Message":"` + secrettest.Canary + `"}`))
	})
}

// locate says where the fake keeps a secret.
func locate(name secret.Name) secret.Ref {
	return secret.Ref{Store: "aws", Path: "mlsdm/" + name.String()}
}

func TestContract(t *testing.T) {
	t.Parallel()
	secrettest.Run(t, secrettest.Harness{
		Source: "aws",
		New: func(t *testing.T, values map[string]string) secret.Named {
			t.Helper()
			f := fake{map[string]any{}}
			for name, value := range values {
				f.answers[name] = map[string]any{"Name": "mlsdm/" + name, "VersionId": "v-1", "CreatedDate": 1.7e9, "SecretString": value}
			}
			return secrettest.By(start(t, f), locate)
		},
		Down: func(t *testing.T) secret.Named { t.Helper(); return secrettest.By(at(t, "http://127.0.0.1:1"), locate) },
		Denied: func(t *testing.T) secret.Named {
			t.Helper()
			return secrettest.By(start(t, failing(http.StatusBadRequest, "AccessDeniedException")), locate)
		},
	})
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	name, err := secret.ParseRef("aws:mlsdm/key")
	require.NoError(t, err)
	entry, err := start(t, fake{map[string]any{"key": map[string]any{"SecretString": "v", "VersionId": "v-1"}}}).Get(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, "v-1", entry.Version)

	_, err = start(t, fake{map[string]any{"key": map[string]any{"SecretBinary": []byte(secrettest.Canary)}}}).Get(t.Context(), name)
	require.ErrorIs(t, err, secret.ErrUnusable)

	for code, want := range map[string]error{
		"ThrottlingException": secret.ErrUnavailable, "InternalServiceError": secret.ErrUnavailable, "SomethingNew": secret.ErrUnavailable,
		"InvalidRequestException": secret.ErrUnusable, "UnrecognizedClientException": secret.ErrDenied, "ExpiredTokenException": secret.ErrDenied,
		"DecryptionFailure": secret.ErrDenied, "ResourceNotFoundException": secret.ErrNotFound,
	} {
		_, err := start(t, failing(http.StatusBadRequest, code)).Get(t.Context(), name)
		require.ErrorIs(t, err, want, code)
		require.NotContains(t, err.Error(), secrettest.Canary)
	}

	_, err = start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"SecretString":"` + secrettest.Canary))
	})).Get(t.Context(), name)
	require.ErrorIs(t, err, secret.ErrUnavailable)
	require.NotContains(t, err.Error(), secrettest.Canary)

	_, err = aws.New(aws.Config{})
	require.ErrorContains(t, err, "region")
}
