package azure_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets/fake"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/azure"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

const vaultURL = "https://test.vault.azure.net"

// start returns a store over a transport.
func start(t *testing.T, transport policy.Transporter) secret.Store {
	t.Helper()
	s, err := azure.New(azure.Config{VaultURL: vaultURL, Credential: &azfake.TokenCredential{}, Transport: transport})
	require.NoError(t, err)
	return s
}

// server answers with values, and with status where there is none.
func server(values map[string]string, status int, code string) policy.Transporter {
	return fake.NewServerTransport(&fake.Server{
		GetSecret: func(_ context.Context, name, version string, _ *azsecrets.GetSecretOptions) (
			resp azfake.Responder[azsecrets.GetSecretResponse], failure azfake.ErrorResponder,
		) {
			value, ok := values[name]
			if !ok || version != "" {
				failure.SetResponseError(status, code)
				return resp, failure
			}
			resp.SetResponse(http.StatusOK, azsecrets.GetSecretResponse{Secret: azsecrets.Secret{
				ID: new(azsecrets.ID(vaultURL + "/secrets/" + name + "/0123abc")), Value: new(value),
			}}, nil)
			return resp, failure
		},
	})
}

// broken is a network that is not there.
type broken struct{}

// Do implements [policy.Transporter].
func (broken) Do(req *http.Request) (*http.Response, error) {
	return nil, &url.Error{Op: "Get", URL: req.URL.String(), Err: errors.New("no route to host")}
}

// locate says where the fake keeps a secret.
func locate(name secret.Name) secret.Ref {
	return secret.Ref{Store: "azure", Path: azure.KeyName(name)}
}

func TestContract(t *testing.T) {
	t.Parallel()
	secrettest.Run(t, secrettest.Harness{
		Source: "azure",
		New: func(t *testing.T, values map[string]string) secret.Named {
			t.Helper()
			theirs := map[string]string{}
			for name, value := range values {
				theirs[strings.NewReplacer("_", "-", ".", "-").Replace(name)] = value
			}
			return secrettest.By(start(t, server(theirs, http.StatusNotFound, "SecretNotFound")), locate)
		},
		Down: func(t *testing.T) secret.Named { t.Helper(); return secrettest.By(start(t, broken{}), locate) },
		Denied: func(t *testing.T) secret.Named {
			t.Helper()
			return secrettest.By(start(t, server(nil, http.StatusForbidden, "Forbidden")), locate)
		},
	})
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	name, err := secret.ParseRef("azure:openai-api-key")
	require.NoError(t, err)
	entry, err := start(t, server(map[string]string{"openai-api-key": "v"}, 0, "")).Get(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, "0123abc", entry.Version)
	for status, want := range map[int]error{
		http.StatusTooManyRequests: secret.ErrUnavailable, http.StatusInternalServerError: secret.ErrUnavailable,
		http.StatusUnauthorized: secret.ErrDenied, http.StatusBadRequest: secret.ErrUnusable,
	} {
		_, err := start(t, server(nil, status, "Code")).Get(t.Context(), name)
		require.ErrorIs(t, err, want, "%d", status)
	}
	for _, bad := range []string{"", "http://test.vault.azure.net", "https://u:p@test.vault.azure.net", "test.vault.azure.net"} {
		_, err := azure.New(azure.Config{VaultURL: bad})
		require.Error(t, err)
	}
}
