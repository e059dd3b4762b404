package github_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
)

// newKey makes the key of an app, PEM.
func newKey(t *testing.T) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return key, pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
}

// app makes a fake GitHub that knows an app, and a forge that is it.
func app(t *testing.T, base string, private secret.Value, public *rsa.PublicKey) (*fakegithub.Server, *github.Forge) {
	t.Helper()
	fake, f := serve(t, fakegithub.Options{RateLimit: 5000}, github.Config{
		APIURL: base, Credentials: []github.Credential{{App: &github.App{ID: 12345, InstallationID: 678, PrivateKey: private}}},
	})
	fake.AddInstallation(fakegithub.Installation{AppID: 12345, ID: 678, Key: public})
	fake.AddRun("failure")
	return fake, f
}

func TestAppsTokensRotateAndCostNothing(t *testing.T) {
	t.Parallel()
	for name, base := range map[string]string{"github.com": "", "enterprise": "https://ghes.example/api/v3"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, text := newKey(t)
			synctest.Test(t, func(t *testing.T) {
				fake, f := app(t, base, secret.NewValue(text), &key.PublicKey)
				for range 3 * 60 {
					page, err := list(t, f)
					require.NoError(t, err)
					require.Len(t, page.Runs, 1)
					pause(t, time.Minute)
				}
				require.Equal(t, 3, fake.InstallationTokens())
				all, notModified := fake.Requests()
				require.Equal(t, 3+1, all-notModified, "the tokens, and one answer")
				require.Equal(t, "app 12345 installation 678", f.Quotas()[0].Credential)

				_, err := list(t, f)
				require.NoError(t, err)
				require.Equal(t, 4, fake.InstallationTokens())
				fake.RevokeInstallationTokens()
				page, err := list(t, f)
				require.NoError(t, err, "a token that is refused is asked for anew")
				require.True(t, page.NotModified)
				require.Equal(t, 5, fake.InstallationTokens())
			})
		})
	}
}

func TestAppsThatAreNotAccepted(t *testing.T) {
	t.Parallel()
	key, good := newKey(t)
	_, other := newKey(t)
	for name, text := range map[string]string{"another's key": other, "no key": canary, "half a key": good[:len(good)/2], "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				live := &rotating{now: text}
				fake, f := app(t, "", secret.Live(live), &key.PublicKey)
				_, err := list(t, f)
				requireCode(t, events.CodeUnauthenticated, err)
				requireNoSecret(t, err, strings.Split(other, "\n")[1], strings.Split(good, "\n")[1])
				require.Len(t, f.Problems(), 1)
				before, _ := fake.Requests()
				_, err = list(t, f)
				requireCode(t, events.CodeUnauthenticated, err)
				after, _ := fake.Requests()
				require.Equal(t, before, after)
				live.set(good)
				_, err = list(t, f)
				require.NoError(t, err, "another key is tried at once")
				require.Empty(t, f.Problems())
			})
		})
	}
}

func TestAppsTokenFailures(t *testing.T) {
	t.Parallel()
	key, text := newKey(t)
	for name, test := range map[string]struct {
		failure fakegithub.Failure
		code    events.Code
	}{
		"no installation": {fakegithub.Failure{Status: 404}, events.CodeUnauthenticated},
		"suspended":       {fakegithub.Failure{Status: 403, Body: `{"message":"This installation has been suspended"}`, Header: http.Header{"X-Ratelimit-Remaining": {"7"}}}, events.CodeUnauthenticated},
		"limit":           {fakegithub.Failure{Status: 403, ResetAfter: time.Minute}, events.CodeRateLimited},
		"too fast":        {fakegithub.Failure{Status: 429}, events.CodeRateLimited},
		"broken":          {fakegithub.Failure{Status: 502}, events.CodeUnavailable},
		"elsewhere":       {fakegithub.Failure{Status: 302, Header: http.Header{"Location": {"https://evil.example"}}}, events.CodeUnavailable},
		"null":            {fakegithub.Failure{Status: 201, Body: `null`}, events.CodeUnavailable},
		"empty":           {fakegithub.Failure{Status: 201, Body: `{}`}, events.CodeUnavailable},
		"no JSON":         {fakegithub.Failure{Status: 201, Body: `<html>`}, events.CodeUnavailable},
		"no time":         {fakegithub.Failure{Status: 201, Body: `{"token":"ghs_x"}`}, events.CodeUnavailable},
		"a header":        {fakegithub.Failure{Status: 201, Body: `{"token":"a\r\nHost: b","expires_at":"2100-01-01T00:00:00Z"}`}, events.CodeUnavailable},
		"endless":         {fakegithub.Failure{Status: 201, Body: `{"token":"` + strings.Repeat("x", 1<<20) + `"}`}, events.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake, f := app(t, "", secret.NewValue(text), &key.PublicKey)
				fake.Fail(test.failure)
				_, err := list(t, f)
				requireCode(t, test.code, err)
				pause(t, time.Hour)
				page, err := list(t, f)
				require.NoError(t, err)
				require.Len(t, page.Runs, 1)
			})
		})
	}
}
