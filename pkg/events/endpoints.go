package events

// EndpointsListRequest is the body of a request on webhooks.endpoints.list; it has no fields yet.
type EndpointsListRequest struct{}

// EndpointRequest names one endpoint.
type EndpointRequest struct {
	// ID is the endpoint's id, a subject token.
	ID string `json:"id" jsonschema:"minLength=1,maxLength=128"`
}

// EndpointsList is the reply of webhooks.endpoints.list.
type EndpointsList struct {
	// Endpoints are ordered by id.
	Endpoints []Endpoint `json:"endpoints"`
}

// Endpoint is a webhook endpoint as it is shown: without its secret.
type Endpoint struct {
	// ID is a subject token.
	ID string `json:"id" jsonschema:"minLength=1,maxLength=128"`
	// URL is where events are posted to; user information and query values are masked.
	URL string `json:"url"`
	// Events are patterns over event types, with the NATS wildcards * and >.
	Events []string `json:"events"`
	// Source says where the endpoint is configured, for example "environment".
	Source string `json:"source"`
}
