package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

// failure says in the words of a store what the SDK said: by the code of AWS, whose texts are not ours to print.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking aws: %w", ctx.Err())
	}
	answer, ok := errors.AsType[smithy.APIError](err)
	if !ok { // not reached, or nothing to sign the request with
		return fmt.Errorf("%w: aws: %s", secret.ErrUnavailable, bounded.Why(err))
	}
	kind := secret.ErrUnavailable // also throttling, and every fault of theirs
	switch code := answer.ErrorCode(); code {
	case "ResourceNotFoundException":
		kind = secret.ErrNotFound
	case "InvalidRequestException": // of all that it can mean, only this is said to who reads
		kind = secret.ErrUnusable
		if strings.Contains(answer.ErrorMessage(), "deletion") {
			kind = secret.ErrGone
		}
	case "InvalidParameterException", "ValidationException":
		kind = secret.ErrUnusable
	default:
		if refusal(code) {
			kind = secret.ErrDenied
		}
	}
	return fmt.Errorf("%w: aws answers %s", kind, printable(answer.ErrorCode()))
}

// refusal reports whether a code says that AWS does not take our credentials, or that they do not reach so far. Those of STS
// are among them, which gives credentials for a web identity or a role.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
func refusal(code string) bool {
	switch code {
	case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized", "OptInRequired",
		"UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException", "ExpiredToken", "InvalidToken",
		"InvalidSignatureException", "SignatureDoesNotMatch", "MissingAuthenticationTokenException", "MissingAuthenticationToken",
		"IncompleteSignature", "IncompleteSignatureException", "InvalidIdentityToken", "IDPRejectedClaim", "RegionDisabledException",
		"DecryptionFailure":
		return true
	default:
		return false
	}
}

// printable returns a code, if it looks like one: letters, and not too many.
func printable(code string) string {
	const most = 64
	letters := strings.Trim(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	if code == "" || len(code) > most || !letters {
		return "what is no code of an error"
	}
	return code
}
