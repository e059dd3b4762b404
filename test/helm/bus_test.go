package helm_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	network "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// queues are the consumers, as STREAM/CONSUMER, that the replicas of a service share.
func queues(t *testing.T, prefix, service string) (names []string) {
	t.Helper()
	subjects, err := events.NewSubjects(prefix)
	require.NoError(t, err)
	for _, c := range events.Consumers() {
		if c.UsedBy == service {
			names = append(names, subjects.StreamName(c.Stream)+"/"+c.Name)
		}
	}
	return names
}

// A service that scales does so on every consumer that its replicas share, by the names that provisioning gives.
func TestScalingReadsTheConsumersThatThereAre(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"mlsdm", "team-a"} {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			given := set(values(t, "production"), "bus.prefix", prefix)
			all := objects(t, given)
			scaled := of[keda.ScaledObject](t, all, "ScaledObject")
			require.Len(t, scaled, 3)
			for _, s := range scaled {
				name := s.Labels[component]
				var found []string
				for _, trigger := range s.Spec.Triggers {
					if trigger.Type != "nats-jetstream" {
						require.Equal(t, "cpu", trigger.Type)
						continue
					}
					m := trigger.Metadata
					require.Equal(t, "MLSDM", m["account"])
					require.Equal(t, "nats-headless.nats.svc:8222", m["natsServerMonitoringEndpoint"])
					require.NotEmpty(t, m["lagThreshold"])
					found = append(found, m["stream"]+"/"+m["consumer"])
				}
				require.ElementsMatch(t, queues(t, prefix, name), found, name)
				for _, d := range of[apps.Deployment](t, all, "Deployment") {
					if d.Name == s.Spec.ScaleTargetRef.Name {
						require.Nil(t, d.Spec.Replicas, "the chart would take back what was scaled")
						require.Equal(t, name, d.Labels[component])
						name = ""
					}
				}
				require.Empty(t, name, "it scales a Deployment that is there")
			}
		})
	}
}

// reach is where a pod may go, in words.
func reach(p network.NetworkPolicy) map[string][]int {
	found := map[string][]int{}
	for _, rule := range p.Spec.Egress {
		where := "anywhere"
		for _, to := range rule.To {
			switch {
			case to.IPBlock != nil && (to.IPBlock.CIDR == "0.0.0.0/0" || to.IPBlock.CIDR == "::/0"):
				where = "public"
			case to.IPBlock != nil:
				where = to.IPBlock.CIDR
			case to.NamespaceSelector != nil:
				where = to.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]
			default:
				where = to.PodSelector.MatchLabels["app.kubernetes.io/name"]
			}
		}
		for _, port := range rule.Ports {
			found[where] = append(found[where], port.Port.IntValue())
		}
	}
	return found
}

// Each service may go to the bus and to those whom it is for, and nowhere else.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	dns, bus, traces, https := []int{53, 53}, []int{4222}, []int{4318}, []int{443}
	redis := []int{26379, 6379}
	want := map[string]map[string]map[string][]int{
		"production": {
			"ciwatch":    {"kube-system": dns, "nats": bus, "monitoring": traces, "public": https},
			"dispatcher": {"kube-system": dns, "nats": bus, "monitoring": traces, "public": https},
			"embedder":   {"kube-system": dns, "nats": bus, "monitoring": traces, "public": https, "redis": redis},
			"generator":  {"kube-system": dns, "nats": bus, "monitoring": traces, "public": https, "redis": redis},
			"secretd":    {"kube-system": dns, "nats": bus, "monitoring": traces, "vault": {8200}},
			"provision":  {"kube-system": dns, "nats": bus},
		},
		"airgapped": {
			"dispatcher": {"kube-system": dns, "nats": bus, "10.0.0.0/8": https},
			"embedder":   {"kube-system": dns, "nats": bus, "models": {8080, 11434}},
			"generator":  {"kube-system": dns, "nats": bus, "models": {8080, 11434}},
			"secretd":    {"kube-system": dns, "nats": bus},
			"provision":  {"kube-system": dns, "nats": bus},
		},
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := objects(t, values(t, name))
			pods := templates(t, all)
			found := map[string]map[string][]int{}
			for _, p := range of[network.NetworkPolicy](t, all, "NetworkPolicy") {
				part := p.Labels[component]
				if part == "bus" {
					continue
				}
				found[part] = reach(p)
				require.ElementsMatch(t, []network.PolicyType{network.PolicyTypeIngress, network.PolicyTypeEgress}, p.Spec.PolicyTypes)
				s, err := meta.LabelSelectorAsSelector(&p.Spec.PodSelector)
				require.NoError(t, err)
				for of, pod := range pods {
					require.Equal(t, of == part, s.Matches(labels.Set(pod.Labels)), "%s and the pods of %s", p.Name, of)
				}
				var ports []int
				for _, rule := range p.Spec.Ingress {
					require.NotEmpty(t, rule.From, "%s: who may come in is always said", p.Name)
					for _, port := range rule.Ports {
						ports = append(ports, port.Port.IntValue())
					}
				}
				switch {
				case name != "production" || part == "provision":
					require.Empty(t, ports)
				case part == "ciwatch":
					require.Equal(t, []int{9090, 8082}, ports)
				default:
					require.Equal(t, []int{9090}, ports)
				}
			}
			require.Equal(t, want[name], found)
		})
	}
}

// With the chart of NATS only those come to its servers that may, and the monitoring port is for those who were named.
func TestThePolicyOfTheServers(t *testing.T) {
	t.Parallel()
	ports := map[int]int{}
	for _, p := range of[network.NetworkPolicy](t, objects(t, values(t, "airgapped")), "NetworkPolicy") {
		if p.Labels[component] == "bus" {
			for _, rule := range p.Spec.Ingress {
				require.Len(t, rule.Ports, 1)
				ports[rule.Ports[0].Port.IntValue()] = len(rule.From)
			}
		}
	}
	require.Equal(t, map[int]int{4222: 2, 6222: 1, 8222: 1}, ports)
	for _, p := range of[network.NetworkPolicy](t, objects(t, values(t, "small")), "NetworkPolicy") {
		require.NotEqual(t, "bus", p.Labels[component], "servers of others are none of the chart's")
	}
}

// Streams are made before services need them, where what that takes is there already, and beside them where it is not.
func TestProvision(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]bool{"small": true, "production": false, "airgapped": false} {
		all := objects(t, values(t, name))
		jobs := of[batch.Job](t, all, "Job")
		require.Len(t, jobs, 1, name)
		require.Equal(t, hook, jobs[0].Annotations["helm.sh/hook"] == "pre-install,pre-upgrade", name)
		require.Equal(t, "provision", jobs[0].Spec.Template.Spec.Containers[0].Args[0])
	}
	first := of[batch.Job](t, objects(t, values(t, "production")), "Job")[0].Name
	again := of[batch.Job](t, objects(t, set(values(t, "production"), "provision.env.MLSDM_REPLICAS", "5")), "Job")[0].Name
	require.NotEqual(t, first, again, "a Job cannot be changed")
}

// External Secrets make what the pods mount, and in each what its service reads.
func TestExternalSecrets(t *testing.T) {
	t.Parallel()
	all := objects(t, values(t, "production"))
	found := map[string][]string{}
	for _, s := range of[externalSecret](t, all, "ExternalSecret") {
		require.Equal(t, s.Name, s.Spec.Target.Name)
		for _, d := range s.Spec.Data {
			require.Equal(t, "mlsdm/"+s.Labels[component], d.RemoteRef.Key)
			require.Equal(t, d.SecretKey, d.RemoteRef.Property)
			found[s.Name] = append(found[s.Name], d.SecretKey)
		}
	}
	for _, pod := range templates(t, all) {
		keys, is := found[pod.Spec.Volumes[0].Secret.SecretName]
		require.True(t, is, pod.Spec.Volumes[0].Secret.SecretName)
		mounted := []string{}
		for _, value := range environment(pod.Spec.Containers[0]) {
			if name, is := cutKeys(value); is {
				mounted = append(mounted, name)
			}
		}
		require.ElementsMatch(t, keys, mounted)
	}
}

// cutKeys returns the name of the key that a variable leads to.
func cutKeys(value string) (string, bool) {
	return strings.CutPrefix(strings.TrimPrefix(value, "file:"), "/run/mlsdm/")
}
