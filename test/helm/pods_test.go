package helm_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/provision"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// component is the label that says of which service an object is.
const component = "app.kubernetes.io/component"

// dockerfile is the text of the one file that all images are made of.
func dockerfile(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	require.NoError(t, err)
	return string(content)
}

// templates returns the pods of what was rendered, by the names of their parts.
func templates(t *testing.T, all []object) map[string]core.PodTemplateSpec {
	t.Helper()
	pods := map[string]core.PodTemplateSpec{}
	for _, d := range of[apps.Deployment](t, all, "Deployment") {
		pods[d.Spec.Template.Labels[component]] = d.Spec.Template
	}
	for _, j := range of[batch.Job](t, all, "Job") {
		pods[j.Spec.Template.Labels[component]] = j.Spec.Template
	}
	return pods
}

// everyExample runs a test on what the chart makes of each of the examples.
func everyExample(t *testing.T, test func(t *testing.T, all []object)) {
	t.Helper()
	for _, name := range valueFiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, objects(t, values(t, name)))
		})
	}
}

// Without a word from the operator every service is there.
func TestEveryServiceIsThere(t *testing.T) {
	t.Parallel()
	pods := templates(t, objects(t, map[string]any{"bus": map[string]any{"url": "nats://bus:4222"}}))
	for _, unit := range services.Units() {
		require.Contains(t, pods, unit.Name)
	}
	require.Contains(t, pods, "provision")
	require.Len(t, pods, len(services.Units())+1)
}

// No pod can do more than it has to, and each is the user that the image is made for.
func TestPodsAreLockedDown(t *testing.T) {
	t.Parallel()
	require.Contains(t, dockerfile(t), "USER 65532:65532")
	everyExample(t, func(t *testing.T, all []object) {
		for name, pod := range templates(t, all) {
			spec := pod.Spec
			require.False(t, *spec.AutomountServiceAccountToken, name)
			require.True(t, *spec.SecurityContext.RunAsNonRoot, name)
			require.EqualValues(t, 65532, *spec.SecurityContext.RunAsUser, name)
			require.EqualValues(t, 65532, *spec.SecurityContext.FSGroup, name)
			require.Equal(t, core.SeccompProfileTypeRuntimeDefault, spec.SecurityContext.SeccompProfile.Type, name)
			require.Len(t, spec.Containers, 1, name)
			c := spec.Containers[0]
			require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem, name)
			require.False(t, *c.SecurityContext.AllowPrivilegeEscalation, name)
			require.Equal(t, []core.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop, name)
			require.Empty(t, c.SecurityContext.Capabilities.Add, name)
			require.Empty(t, c.Command, "%s: the entry point is the image's", name)
			image := name
			if name == "provision" {
				image = "mlsdmctl"
			}
			require.Regexp(t, `/?`+image+`:[^:/]+$`, c.Image)
			require.Contains(t, dockerfile(t), image)
			for _, v := range spec.Volumes {
				require.Nil(t, v.HostPath, name)
			}
			// Each has its own Secret, and nobody else's.
			require.True(t, strings.HasSuffix(spec.Volumes[0].Secret.SecretName, "-"+name), spec.Volumes[0].Secret.SecretName)
		}
	})
}

// Memory has a limit, below which the Go runtime keeps.
func TestMemoryFollowsTheLimit(t *testing.T) {
	t.Parallel()
	everyExample(t, func(t *testing.T, all []object) {
		for name, pod := range templates(t, all) {
			c := pod.Spec.Containers[0]
			limit := c.Resources.Limits.Memory().Value()
			require.Positive(t, limit, name)
			require.LessOrEqual(t, c.Resources.Requests.Memory().Value(), limit, name)
			at := slices.IndexFunc(c.Env, func(e core.EnvVar) bool { return e.Name == "GOMEMLIMIT" })
			digits, found := strings.CutSuffix(c.Env[at].Value, "MiB")
			require.True(t, found, c.Env[at].Value)
			mib, err := time.ParseDuration(digits + "ns")
			require.NoError(t, err)
			require.InDelta(t, 0.85, float64(mib<<20)/float64(limit), 0.01, name)
		}
	})
}

// A pod has the time that its service takes to drain, and more to close the bus; probes ask where the service answers.
func TestDrainAndProbes(t *testing.T) {
	t.Parallel()
	everyExample(t, func(t *testing.T, all []object) {
		for _, d := range of[apps.Deployment](t, all, "Deployment") {
			c := d.Spec.Template.Spec.Containers[0]
			env := environment(c)
			drain, err := time.ParseDuration(env["MLSDM_DRAIN_TIMEOUT"])
			require.NoError(t, err)
			require.GreaterOrEqual(t, time.Duration(*d.Spec.Template.Spec.TerminationGracePeriodSeconds)*time.Second, drain+10*time.Second)
			ports := map[string]int32{}
			for _, p := range c.Ports {
				ports[p.Name] = p.ContainerPort
			}
			require.Equal(t, ":9090", env["MLSDM_ADMIN_ADDR"])
			require.EqualValues(t, 9090, ports["admin"])
			if d.Labels[component] == "ciwatch" {
				require.Equal(t, ":8082", env["CI_WEBHOOK_ADDR"])
				require.EqualValues(t, 8082, ports["webhooks"])
			}
			for path, probe := range map[string][]*core.Probe{"/livez": {c.StartupProbe, c.LivenessProbe}, "/readyz": {c.ReadinessProbe}} {
				for _, p := range probe {
					require.Equal(t, path, p.HTTPGet.Path)
					require.Equal(t, "admin", p.HTTPGet.Port.StrVal)
				}
			}
			// The service makes the folder itself: it takes none that its group may write to, as the top of a volume is.
			at := slices.IndexFunc(c.VolumeMounts, func(m core.VolumeMount) bool { return m.Name == "spool" })
			require.Equal(t, filepath.Dir(env["MLSDM_SPOOL_DIR"]), c.VolumeMounts[at].MountPath)
			require.Len(t, d.Spec.Template.Spec.TopologySpreadConstraints, 2)
		}
	})
}

// environment returns the variables of a container; those from elsewhere are empty.
func environment(c core.Container) map[string]string {
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = e.Value
	}
	return env
}

// Nothing is passed that nobody reads, and no variable twice.
func TestEveryVariableIsRead(t *testing.T) {
	t.Parallel()
	common, err := service.CommonFields()
	require.NoError(t, err)
	known := map[string][]string{}
	for _, unit := range services.Units() {
		own, err := unit.Fields()
		require.NoError(t, err)
		known[unit.Name] = variables(slices.Concat(common, own))
	}
	assets, err := config.Fields(&provision.Config{})
	require.NoError(t, err)
	known["provision"] = append(variables(assets), "NATS_URL", "NATS_NKEY", "NATS_CA", "MLSDM_PREFIX") // of every command of mlsdmctl
	everyExample(t, func(t *testing.T, all []object) {
		for name, pod := range templates(t, all) {
			c := pod.Spec.Containers[0]
			require.Len(t, environment(c), len(c.Env), "%s: a variable is there twice", name)
			for _, e := range c.Env {
				if e.Name != "GOMEMLIMIT" { // the Go runtime reads it
					require.Contains(t, known[name], e.Name, name)
				}
			}
		}
	})
}

func variables(fields []config.Field) (names []string) {
	for _, f := range fields {
		names = append(names, f.Env...)
	}
	return names
}

// What selects pods selects those of its service and no others.
func TestSelectorsMatch(t *testing.T) {
	t.Parallel()
	everyExample(t, func(t *testing.T, all []object) {
		pods := templates(t, all)
		check := func(part, what string, selector labels.Selector) {
			require.False(t, selector.Empty(), what)
			for name, pod := range pods {
				require.Equal(t, name == part, selector.Matches(labels.Set(pod.Labels)), "%s and the pods of %s", what, name)
			}
		}
		for _, d := range of[apps.Deployment](t, all, "Deployment") {
			s, err := meta.LabelSelectorAsSelector(d.Spec.Selector)
			require.NoError(t, err)
			check(d.Labels[component], "Deployment "+d.Name, s)
		}
		for _, s := range of[core.Service](t, all, "Service") {
			check(s.Labels[component], "Service "+s.Name, labels.SelectorFromSet(s.Spec.Selector))
			for _, p := range s.Spec.Ports {
				ports := pods[s.Labels[component]].Spec.Containers[0].Ports
				require.True(t, slices.ContainsFunc(ports, func(c core.ContainerPort) bool {
					return c.Name == p.TargetPort.StrVal && c.ContainerPort == p.Port
				}), s.Name)
			}
		}
		budgets := of[policy.PodDisruptionBudget](t, all, "PodDisruptionBudget")
		for _, b := range budgets {
			s, err := meta.LabelSelectorAsSelector(b.Spec.Selector)
			require.NoError(t, err)
			check(b.Labels[component], "PodDisruptionBudget "+b.Name, s)
			require.Nil(t, b.Spec.MinAvailable)
			require.Equal(t, 1, b.Spec.MaxUnavailable.IntValue(), "a pod can always be moved")
		}
		require.Len(t, budgets, len(of[apps.Deployment](t, all, "Deployment")))
		for _, m := range of[monitoring.ServiceMonitor](t, all, "ServiceMonitor") {
			s, err := meta.LabelSelectorAsSelector(&m.Spec.Selector)
			require.NoError(t, err)
			found := 0
			for _, service := range of[core.Service](t, all, "Service") {
				if s.Matches(labels.Set(service.Labels)) {
					require.Equal(t, m.Labels[component], service.Labels[component])
					require.Equal(t, m.Spec.Endpoints[0].Port, service.Spec.Ports[0].Name)
					found++
				}
			}
			require.Equal(t, 1, found, m.Name)
		}
	})
}

// No manifest holds a secret: no Secret is made, and what is called a secret has a reference or stands in a Secret.
func TestNoSecretIsRendered(t *testing.T) {
	t.Parallel()
	secrets := secretVariables(t)
	reference := regexp.MustCompile(`^(secret|vault|aws|azure|env|file):`)
	everyExample(t, func(t *testing.T, all []object) {
		for _, o := range all {
			require.NotEqual(t, "Secret", o.Kind)
			require.NotRegexp(t, `SU[A-Z2-7]{56}|whsec_|BEGIN [A-Z ]*PRIVATE KEY|sk-[A-Za-z0-9]{8}`, o.text)
		}
		for name, pod := range templates(t, all) {
			for _, e := range pod.Spec.Containers[0].Env {
				if slices.Contains(secrets, e.Name) && e.Value != "" {
					require.Regexp(t, reference, e.Value, "%s: %s", name, e.Name)
				}
			}
		}
	})
}

// secretVariables are the variables that hold secrets.
func secretVariables(t *testing.T) (names []string) {
	t.Helper()
	common, err := service.CommonFields()
	require.NoError(t, err)
	fields := common
	for _, unit := range services.Units() {
		own, err := unit.Fields()
		require.NoError(t, err)
		fields = append(fields, own...)
	}
	for _, f := range fields {
		if f.Secret {
			names = append(names, f.Env...)
		}
	}
	require.NotEmpty(t, names)
	return names
}
