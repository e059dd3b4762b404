package azure_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/azure"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// TestSpans: requests are spans that name no secret.
func TestSpans(t *testing.T) {
	t.Parallel()
	f := &fake{secrets: map[string][]version{}}
	f.put("payroll", secrettest.Content{Text: secrettest.Canary}, nil)
	transport := network(t, f)
	credential, err := azidentity.NewClientSecretCredential(tenant, clientID, clientSecret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: azcore.ClientOptions{Transport: bounded.Over(transport)},
	})
	require.NoError(t, err)
	tracer, names := secrettest.Spans(t, "payroll", "absent", tenant)
	s, err := azure.New(azure.Config{VaultURL: vaultURL, Credential: credential, Transport: transport, Tracer: tracer})
	require.NoError(t, err)
	for _, ref := range []secret.Ref{{Path: "payroll"}, {Path: "absent"}, {Path: "payroll", Version: versionID(0)}} {
		ref.Store = secret.StoreAzure
		_, err = s.Get(t.Context(), ref)
		require.Equal(t, ref.Path == "payroll", err == nil, err)
	}
	require.Contains(t, names(), "GET /secrets/{name}/{version}")
}
