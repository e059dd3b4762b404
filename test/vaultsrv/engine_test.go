package vaultsrv_test

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// engine lends credentials at creds/NAME, as that of databases does: the lease is Vault's own, and renewed and revoked by it.
type engine struct {
	mu      sync.Mutex
	made    int
	renewed int
	revoked map[string]bool // by user
}

// terms are what a role grants.
type terms struct {
	ttl, most time.Duration
	renewable bool
}

// role returns the terms of a role, by its name.
func role(name string) terms {
	switch name {
	case "fixed":
		return terms{ttl: 9 * time.Second}
	case "bounded":
		return terms{ttl: 9 * time.Second, most: 14 * time.Second, renewable: true}
	default:
		return terms{ttl: 15 * time.Second, most: time.Hour, renewable: true}
	}
}

func (e *engine) factory(ctx context.Context, cfg *logical.BackendConfig) (logical.Backend, error) {
	lent := &framework.Secret{
		Type:   "lent",
		Fields: map[string]*framework.FieldSchema{"username": {Type: framework.TypeString}, "password": {Type: framework.TypeString}},
		Renew:  e.renew, Revoke: e.revoke,
	}
	b := &framework.Backend{BackendType: logical.TypeLogical, Secrets: []*framework.Secret{lent}}
	b.Paths = []*framework.Path{{
		Pattern: "creds/" + framework.GenericNameRegex("name"),
		Fields:  map[string]*framework.FieldSchema{"name": {Type: framework.TypeString}},
		Operations: map[logical.Operation]framework.OperationHandler{logical.ReadOperation: &framework.PathOperation{
			Callback: func(_ context.Context, _ *logical.Request, data *framework.FieldData) (*logical.Response, error) {
				e.mu.Lock()
				defer e.mu.Unlock()
				e.made++
				name, _ := data.Get("name").(string)
				user := name + "-" + strconv.Itoa(e.made)
				resp := lent.Response(map[string]any{"username": user, "password": secrettest.Canary + "-" + strconv.Itoa(e.made)},
					map[string]any{"username": user, "name": name})
				resp.Secret.TTL, resp.Secret.MaxTTL, resp.Secret.Renewable = role(name).ttl, role(name).most, role(name).renewable
				return resp, nil
			},
		}},
	}}
	return b, b.Setup(ctx, cfg)
}

func (e *engine) renew(_ context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.renewed++
	name, _ := req.Secret.InternalData["name"].(string)
	resp := &logical.Response{Secret: req.Secret}
	resp.Secret.TTL, resp.Secret.MaxTTL = role(name).ttl, role(name).most
	return resp, nil
}

func (e *engine) revoke(_ context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	user, _ := req.Secret.InternalData["username"].(string)
	e.revoked[user] = true
	return &logical.Response{}, nil
}

// renewals returns how many there were.
func (e *engine) renewals() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.renewed
}

// isRevoked reports whether a user's credentials are.
func (e *engine) isRevoked(user string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.revoked[user]
}
