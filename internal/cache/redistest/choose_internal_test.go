package redistest

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// notes is a test that keeps what is logged.
type notes struct {
	testing.TB

	said string
}

func (n *notes) Helper() {}

func (n *notes) Logf(format string, args ...any) { n.said += fmt.Sprintf(format, args...) }

// here is a machine with some variables and kinds of Redis.
func here(env map[string]string, has ...kind) machine {
	return machine{
		getenv: func(name string) string { return env[name] },
		lookPath: func(string) (string, error) {
			if slices.Contains(has, program) {
				return "/usr/bin/redis-server", nil
			}
			return "", exec.ErrNotFound
		},
		docker: func() error {
			if slices.Contains(has, container) {
				return nil
			}
			return errors.New("the engine is away")
		},
	}
}

func TestWhereARedisComesFrom(t *testing.T) {
	t.Parallel()
	addr, ci := map[string]string{"REDIS_ADDR": "redis:6379"}, map[string]string{"CI": "true"}
	both := map[string]string{"REDIS_ADDR": "redis:6379", "CI": "true"}
	shared, own, several := []kind{given, program, container, pretended}, []kind{program, container}, []kind{program}
	for name, test := range map[string]struct {
		at   machine
		may  []kind
		want kind
		said string
		fail string
	}{
		"one that is given is before all":          {at: here(addr, program, container), may: shared, want: given},
		"also on CI":                               {at: here(both), may: shared, want: given},
		"the program is before a container":        {at: here(nil, program, container), may: shared, want: program},
		"a container is before what is no Redis":   {at: here(nil, container), may: shared, want: container},
		"a container is good enough for CI":        {at: here(ci, container), may: shared, want: container},
		"what is no Redis is said":                 {at: here(nil), may: shared, want: pretended, said: "RUNNING ON MINIREDIS"},
		"and not on CI":                            {at: here(ci), may: shared, fail: "on CI there has to be a real Redis"},
		"one that is given is not the test's own":  {at: here(addr, container), may: own, want: container},
		"the test's own may be in no container":    {at: here(nil), may: own, said: "NOT SHOWN HERE"},
		"but not on CI":                            {at: here(both), may: own, fail: "and no container (the engine is away)"},
		"several are no containers":                {at: here(nil, container), may: several, said: "NOT SHOWN HERE"},
		"several are there on CI, or it is said":   {at: here(ci, container), may: several, fail: "apt-get install redis-server"},
		"several are the program":                  {at: here(ci, program), may: several, want: program},
		"what is missing is said, with the reason": {at: here(nil), may: shared, want: pretended, said: "the engine is away"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tb := &notes{TB: t}
			got, err := test.at.choose(tb, test.may...)
			require.Equal(t, test.want, got)
			if test.fail == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.fail)
			}
			if test.said == "" {
				require.Empty(t, tb.said)
			} else {
				require.Contains(t, tb.said, test.said)
			}
		})
	}
}

// Nowhere is no server.
func TestNoServer(t *testing.T) {
	t.Parallel()
	require.Nil(t, run(t, nowhere, arguments(nil)))
	require.Nil(t, run(t, pretended, arguments(nil)))
	client := Client(t, pretend(t))
	require.NoError(t, client.Set(t.Context(), "k", "v", 0).Err())
	require.Equal(t, "v", client.Get(t.Context(), "k").Val())
}
