package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

// failure says in the words of a store what the SDK said. Its errors repeat the whole answer, which is not ours to print.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking azure: %w", ctx.Err())
	}
	if refused, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok {
		return noToken(refused)
	}
	if answer, ok := errors.AsType[*azcore.ResponseError](err); ok {
		code, inner := codes(answer)
		return fmt.Errorf("%w: azure answers %d %s %s", kind(answer.StatusCode, code, inner), answer.StatusCode, code, inner)
	}
	return fmt.Errorf("%w: azure: %s", secret.ErrUnavailable, bounded.Why(err))
}

// kind says what an answer of Key Vault means.
// https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
func kind(status int, code, inner string) error {
	switch status {
	case http.StatusNotFound:
		if code == "SecretNotFound" {
			return secret.ErrNotFound
		}
		return secret.ErrUnavailable // not Key Vault's words: whoever says so does not know the secret
	case http.StatusUnauthorized:
		return secret.ErrDenied
	case http.StatusForbidden:
		if inner == "SecretDisabled" {
			return secret.ErrGone
		}
		return secret.ErrDenied
	case http.StatusConflict:
		if inner == "ObjectIsDeletedButRecoverable" || inner == "ObjectIsBeingDeleted" {
			return secret.ErrGone
		}
		return secret.ErrUnavailable
	case http.StatusGone:
		return secret.ErrGone
	case http.StatusBadRequest:
		return secret.ErrUnusable
	default: // also throttling, and every fault of theirs
		return secret.ErrUnavailable
	}
}

// codes returns the codes of an error of Key Vault, {"error":{"code":…,"innererror":{"code":…}}}, if they look like codes.
func codes(answer *azcore.ResponseError) (code, inner string) {
	var body struct {
		Error struct {
			Code       string `json:"code"`
			InnerError struct {
				Code string `json:"code"`
			} `json:"innererror"`
		} `json:"error"`
	}
	if answer.RawResponse != nil {
		// What is no JSON has no codes, and the status says enough.
		if text, err := runtime.Payload(answer.RawResponse); err == nil && json.Unmarshal(text, &body) != nil {
			return "", ""
		}
	}
	return printable(body.Error.Code), printable(body.Error.InnerError.Code)
}

// printable returns a code, if it looks like one: letters, and not too many.
func printable(code string) string {
	const most = 64
	if len(code) > most || strings.Trim(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return ""
	}
	return code
}

// noToken says why Entra ID, or the machine's identity endpoint, gives us no token: it refuses, or it does not answer.
func noToken(refused *azidentity.AuthenticationFailedError) error {
	if refused.RawResponse == nil {
		return fmt.Errorf("%w: azure: who gives tokens cannot be asked", secret.ErrUnavailable)
	}
	switch status := refused.RawResponse.StatusCode; status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: azure gives us no token (%d)", secret.ErrDenied, status)
	default:
		return fmt.Errorf("%w: azure gives us no token now (%d)", secret.ErrUnavailable, status)
	}
}
