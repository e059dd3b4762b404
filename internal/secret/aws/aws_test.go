package aws_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/aws"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// prefix is what stands before every name.
const prefix = "mlsdm/"

// nowhere is where nobody listens. The port of a server that was closed may be another's by then.
const nowhere = "http://127.0.0.1:1"

// start returns a store over a handler.
func start(t *testing.T, h http.Handler) *aws.Store {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return open(t, server.URL)
}

// open returns a store over who listens somewhere.
func open(t *testing.T, url string) *aws.Store {
	t.Helper()
	s, err := aws.New(aws.Config{
		Region: region, Endpoint: url, Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET"+secrettest.Canary, ""),
	})
	require.NoError(t, err)
	return s
}

// failures are how AWS words what it will not do.
func failures() map[secrettest.Condition]secrettest.Failure {
	failure := func(status int, code, message string) secrettest.Failure {
		return secrettest.Failure{
			Status: status, Body: `{"__type":"` + code + `","Message":"` + message + ` {{canary}}"}`,
			Header: map[string]string{"Content-Type": "application/x-amz-json-1.1", "Retry-After": "3600", "X-Amz-Retry-After": "3600000"},
		}
	}
	return map[secrettest.Condition]secrettest.Failure{
		secrettest.Denied:    failure(http.StatusBadRequest, "AccessDeniedException", "User is not authorized to perform: secretsmanager:GetSecretValue on resource:"),
		secrettest.Expired:   failure(http.StatusBadRequest, "ExpiredTokenException", "The security token included in the request is expired"),
		secrettest.Throttled: failure(http.StatusBadRequest, "ThrottlingException", "Rate exceeded"),
		secrettest.Broken:    failure(http.StatusInternalServerError, "InternalServiceError", "An error occurred on the server side."),
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	secrettest.Contract{
		Source: "aws",
		Start: func(t *testing.T, p secrettest.Provider) secrettest.Subject {
			t.Helper()
			f := &fake{secrets: map[string]stored{}}
			for key, s := range p.Secrets {
				for _, content := range s.Versions {
					f.put(prefix+key, content)
				}
				f.secrets[prefix+key] = stored{versions: f.secrets[prefix+key].versions, deleted: s.Gone}
			}
			wire := &secrettest.Wire{Condition: p.Condition, Handler: f, Failures: failures()}
			store := start(t, wire)
			if p.Condition == secrettest.Down {
				store = open(t, nowhere)
			}
			return secrettest.Subject{
				Store:   store,
				At:      func(key string) secret.Ref { return secret.Ref{Store: "aws", Path: prefix + key} },
				Version: func(_ string, n int) string { return versionID(n) },
				Rotate:  func(key string, to secrettest.Content) { f.put(prefix+key, to) },
				Wire:    wire,
			}
		},
	}.Run(t)
}

// get asks for one secret.
func get(t *testing.T, s *aws.Store, text string) (secret.Entry, error) {
	t.Helper()
	ref, err := secret.ParseRef(text)
	require.NoError(t, err)
	entry, err := s.Get(t.Context(), ref)
	if err != nil {
		secrettest.RequireQuiet(t, err)
	}
	return entry, err
}

func TestStages(t *testing.T) {
	t.Parallel()
	f := &fake{secrets: map[string]stored{}}
	for _, text := range []string{"1st", "2nd", "3rd"} {
		f.put("/a/key", secrettest.Content{Fields: map[string]any{"api_key": text}})
	}
	s := start(t, f)
	for version, want := range map[string]string{
		"": "3rd", "@AWSCURRENT": "3rd", "@AWSPREVIOUS": "2nd", "@" + versionID(0): "1st",
	} {
		entry, err := get(t, s, "aws:/a/key#api_key"+version)
		require.NoError(t, err, version)
		require.Equal(t, want, entry.Value.Reveal(), version)
	}
	_, err := get(t, s, "aws:/a/key@AWSPENDING")
	secrettest.RequireKind(t, err, secret.ErrNotFound)
	entry, err := get(t, s, "aws:/a/key")
	require.NoError(t, err)
	require.JSONEq(t, `{"api_key":"3rd"}`, entry.Value.Reveal())
}

func TestCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{
		"ThrottlingException": secret.ErrUnavailable, "TooManyRequestsException": secret.ErrUnavailable, "InternalServiceError": secret.ErrUnavailable,
		"InternalFailure": secret.ErrUnavailable, "ServiceUnavailable": secret.ErrUnavailable, "SomethingNew": secret.ErrUnavailable,
		"IDPCommunicationError": secret.ErrUnavailable, "": secret.ErrUnavailable, secrettest.Canary: secret.ErrUnavailable,
		"ResourceNotFoundException": secret.ErrNotFound, "com.amazonaws.secretsmanager#ResourceNotFoundException": secret.ErrNotFound,
		"InvalidRequestException": secret.ErrUnusable, "InvalidParameterException": secret.ErrUnusable, "ValidationException": secret.ErrUnusable,
		"AccessDeniedException": secret.ErrDenied, "UnrecognizedClientException": secret.ErrDenied, "ExpiredTokenException": secret.ErrDenied,
		"InvalidSignatureException": secret.ErrDenied, "DecryptionFailure": secret.ErrDenied,
	} {
		s := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "Message": secrettest.Canary})
		}))
		_, err := get(t, s, "aws:key")
		require.Error(t, err, code)
		secrettest.RequireKind(t, err, want)
	}
}

// A fault of theirs that has passed when we ask once more is none.
func TestOnceMore(t *testing.T) {
	t.Parallel()
	f := &fake{secrets: map[string]stored{}}
	f.put("key", secrettest.Content{Text: "v"})
	asked := 0
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if asked == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		f.ServeHTTP(w, r)
	}))
	_, err := get(t, s, "aws:key")
	require.NoError(t, err)
	require.Equal(t, 2, asked)
}

// isolate takes from the environment all that the SDK would find on this machine.
func isolate(t *testing.T) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_CA_BUNDLE": "",
		"AWS_SHARED_CREDENTIALS_FILE": none, "AWS_CONFIG_FILE": none, "AWS_EC2_METADATA_DISABLED": "true", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
		"AWS_ROLE_ARN": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(name, value)
	}
}

// The environment says where and who, as it does in production.
func TestDefaultChain(t *testing.T) {
	isolate(t)
	f := &fake{secrets: map[string]stored{}}
	f.put("key", secrettest.Content{Text: "v"})
	wire := &secrettest.Wire{Handler: f}
	server := httptest.NewServer(wire)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.URL)

	s, err := aws.New(aws.Config{Region: region})
	require.NoError(t, err)
	_, err = get(t, s, "aws:key")
	secrettest.RequireKind(t, err, secret.ErrUnavailable)
	require.Empty(t, wire.Seen(), "nobody is asked without credentials")

	t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
	t.Setenv("AWS_SECRET_ACCESS_KEY", secrettest.Canary)
	s, err = aws.New(aws.Config{Region: region})
	require.NoError(t, err)
	entry, err := get(t, s, "aws:key")
	require.NoError(t, err)
	require.Equal(t, "v", entry.Value.Reveal())
	secrettest.RequireQuiet(t, s, aws.Config{Region: region})

	_, err = aws.New(aws.Config{})
	require.ErrorContains(t, err, "region")
}

// The token of a pod buys credentials, or does not.
func TestWebIdentity(t *testing.T) {
	isolate(t)
	f := &fake{secrets: map[string]stored{}}
	f.put("key", secrettest.Content{Text: "v"})
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	answer, status := "", http.StatusOK
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("WebIdentityToken") != "jwt-"+secrettest.Canary {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(sts.Close)
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("jwt-"+secrettest.Canary), 0o600))
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.URL)
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token)
	t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/secretd")

	s, err := aws.New(aws.Config{Region: region})
	require.NoError(t, err)
	refusal := func(code string) string {
		return `<ErrorResponse><Error><Code>` + code + `</Code><Message>` + secrettest.Canary + `</Message></Error></ErrorResponse>`
	}
	for _, test := range []struct {
		code   string
		status int
		want   error
	}{
		{"AccessDenied", http.StatusForbidden, secret.ErrDenied},
		{"ExpiredTokenException", http.StatusBadRequest, secret.ErrDenied},
		{"InternalFailure", http.StatusInternalServerError, secret.ErrUnavailable},
	} {
		answer, status = refusal(test.code), test.status
		_, err = get(t, s, "aws:key")
		secrettest.RequireKind(t, err, test.want)
	}
	answer, status = `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKID</AccessKeyId>`+
		`<SecretAccessKey>`+secrettest.Canary+`</SecretAccessKey><SessionToken>`+secrettest.Canary+`</SessionToken>`+
		`<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, http.StatusOK
	entry, err := get(t, s, "aws:key")
	require.NoError(t, err)
	require.Equal(t, "v", entry.Value.Reveal())
	secrettest.RequireQuiet(t, s)
}
