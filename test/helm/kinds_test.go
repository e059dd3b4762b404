package helm_test

import (
	"encoding/json"
	"testing"

	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	network "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// externalSecret is the part of the External Secrets Operator's type (external-secrets.io/v1) that the chart uses. Its module cannot be
// had without all of its providers, so the names are those of its published definition.
type externalSecret struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`

	Spec struct {
		RefreshInterval *meta.Duration `json:"refreshInterval"`
		SecretStoreRef  struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"secretStoreRef"`
		Target struct {
			Name           string `json:"name"`
			CreationPolicy string `json:"creationPolicy"`
		} `json:"target"`
		Data []struct {
			SecretKey string `json:"secretKey"`
			RemoteRef struct {
				Key      string `json:"key"`
				Property string `json:"property"`
			} `json:"remoteRef"`
		} `json:"data"`
	} `json:"spec"`
}

// kinds are the objects that the chart may make, and the types that they are held against.
func kinds() map[string]func() any {
	return map[string]func() any{
		"apps/v1 Deployment":                      func() any { return new(apps.Deployment) },
		"batch/v1 Job":                            func() any { return new(batch.Job) },
		"external-secrets.io/v1 ExternalSecret":   func() any { return new(externalSecret) },
		"keda.sh/v1alpha1 ScaledObject":           func() any { return new(keda.ScaledObject) },
		"monitoring.coreos.com/v1 ServiceMonitor": func() any { return new(monitoring.ServiceMonitor) },
		"networking.k8s.io/v1 NetworkPolicy":      func() any { return new(network.NetworkPolicy) },
		"policy/v1 PodDisruptionBudget":           func() any { return new(policy.PodDisruptionBudget) },
		"v1 ConfigMap":                            func() any { return new(core.ConfigMap) },
		"v1 PersistentVolumeClaim":                func() any { return new(core.PersistentVolumeClaim) },
		"v1 Service":                              func() any { return new(core.Service) },
		"v1 ServiceAccount":                       func() any { return new(core.ServiceAccount) },
	}
}

// Every object has the fields that its kind has, and no other; no name is there twice; and it can be found by its labels.
func TestEveryObjectIsWhatItsKindIs(t *testing.T) {
	t.Parallel()
	for _, name := range valueFiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := map[string]bool{}
			for _, o := range objects(t, values(t, name)) {
				fresh, is := kinds()[o.APIVersion+" "+o.Kind]
				require.True(t, is, "%s %s", o.APIVersion, o.Kind)
				o.into(t, fresh())
				id := o.Kind + "/" + o.Metadata.Name
				require.False(t, seen[id], id)
				seen[id] = true
				require.Regexp(t, `^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`, o.Metadata.Name)
				require.NotEmpty(t, o.part(), id)
				require.Equal(t, release, o.Metadata.Labels["app.kubernetes.io/instance"], id)
			}
		})
	}
}

// The types refuse what they do not have: without that, the test above would show nothing.
func TestUnknownFieldsAreSeen(t *testing.T) {
	t.Parallel()
	for id, fresh := range kinds() {
		content, err := json.Marshal(map[string]any{"metadata": map[string]any{"name": "x"}, "spec": map[string]any{"nonesuch": 1}, "nonesuch": 1})
		require.NoError(t, err)
		require.ErrorContains(t, yaml.UnmarshalStrict(content, fresh()), "nonesuch", id)
	}
}
