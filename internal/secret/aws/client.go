package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

// errRedirect ends a request that is sent elsewhere by who gives credentials: what it holds would go along.
var errRedirect = errors.New("a redirect is not followed")

// newBuildable returns the client with which the SDK gets credentials. It has to be one of theirs, as they know AWS_CA_BUNDLE, and
// so is bounded by what they let be said: of its transport here, of its answers by [boundAnswers].
func newBuildable() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(bounded.Timeout).WithTransportOptions(func(t *http.Transport) {
		t.MaxResponseHeaderBytes = bounded.MaxHeader
		t.Proxy = proxy
	})
}

// proxy says by which proxy a request goes. It is also where a request that follows a redirect is seen before it leaves.
func proxy(req *http.Request) (*url.URL, error) {
	if req.Response != nil {
		return nil, errRedirect
	}
	return http.ProxyFromEnvironment(req)
}

// boundAnswers has the answers of every client that the SDK makes end, in an error, after [bounded.MaxAnswer].
func boundAnswers(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("BoundAnswers", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if resp, ok := out.RawResponse.(*smithyhttp.Response); ok && resp.Response != nil && resp.Body != nil {
			resp.Body = bounded.Body(resp.Body)
		}
		return out, metadata, err
	}), middleware.After)
}

// newClient returns a client of the SDK's transport, which knows AWS_CA_BUNDLE, whose answers are bounded and who is not sent
// elsewhere.
func newClient(theirs aws.HTTPClient, tracer trace.TracerProvider) (*http.Client, error) {
	buildable, ok := theirs.(*awshttp.BuildableClient)
	if !ok {
		return nil, fmt.Errorf("aws: the SDK has made a %T of its HTTP client", theirs)
	}
	return bounded.Over(bounded.Traced(buildable.GetTransport(), tracer, template)), nil
}

// template stands for the path of a request in its span: it is always the same one, and what is asked for is in the body.
func template(r *http.Request) string {
	if r.URL.Path != "/" && r.URL.Path != "" {
		return ""
	}
	return "/"
}
