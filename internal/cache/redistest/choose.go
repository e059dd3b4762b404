package redistest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// image is that of the stack in docker-compose.yml.
const image = "redis:7-alpine"

// kind is where a Redis comes from.
type kind int

const (
	nowhere   kind = iota
	given          // the one at REDIS_ADDR
	program        // a redis-server on PATH
	container      // a redis-server in a container
	pretended      // miniredis
)

// machine is what the choice depends on.
type machine struct {
	getenv   func(string) string
	lookPath func(string) (string, error)
	docker   func() error // says why there can be no container
}

func thisMachine(ctx context.Context) machine {
	return machine{getenv: os.Getenv, lookPath: exec.LookPath, docker: func() error { return docker(ctx) }}
}

// choose returns the first of those that are possible here. What is not Redis is possible on the machine of somebody who has just come,
// not on CI, where the error says what to do. Elsewhere nothing may be possible: nowhere, and why.
func (m machine) choose(tb testing.TB, may ...kind) (chosen kind, err error) {
	tb.Helper()
	var why error
	for _, k := range may {
		switch k {
		case given:
			if m.getenv("REDIS_ADDR") != "" {
				return given, nil
			}
		case program:
			if _, err := m.lookPath("redis-server"); err == nil {
				return program, nil
			}
		case container:
			if why = m.docker(); why == nil {
				return container, nil
			}
		case pretended:
			if m.getenv("CI") == "" {
				tb.Logf("!!! RUNNING ON MINIREDIS, WHICH IS NOT REDIS: %s", missing(why))
				return pretended, nil
			}
		case nowhere:
		}
	}
	if m.getenv("CI") != "" {
		return nowhere, fmt.Errorf("on CI there has to be a real Redis: %s", missing(why))
	}
	tb.Logf("!!! NOT SHOWN HERE: %s", missing(why))
	return nowhere, nil
}

// missing says what there is not, and what to do.
func missing(docker error) string {
	text := "there is no redis-server on PATH"
	if docker != nil {
		text += fmt.Sprintf(", and no container (%v)", docker)
	}
	return text + "; install it (Debian: apt-get install redis-server) or set REDIS_ADDR"
}

// docker returns nil when containers of the image can be started, which it may have to pull.
func docker(ctx context.Context) error {
	const answer, pull = 10 * time.Second, 5 * time.Minute
	if err := cli(ctx, answer, "version"); err != nil {
		return err
	}
	if cli(ctx, answer, "image", "inspect", image) == nil {
		return nil
	}
	return cli(ctx, pull, "pull", "--quiet", image)
}

// cli runs the program docker.
func cli(ctx context.Context, patience time.Duration, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("docker %s: %w: %.200s", args[0], err, out)
	}
	return nil
}
