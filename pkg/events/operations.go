package events

// Operation is one entry of the catalogue of interactive subjects: what can be asked for, and what is answered.
type Operation struct {
	// Name is the subject below the prefix, and below mlsdm.as.<caller>: "embed", "ci.status".
	Name string
	// Service answers it.
	Service string
	// CallerOnly marks operations that exist only under a caller's name.
	CallerOnly bool
	// Request and Response are zero values of the bodies.
	Request, Response any
	// Streams marks operations that can answer in chunks.
	Streams bool
	// Does says what it does, in one line.
	Does string
}

// Names of the operations.
const (
	OpEmbed         = "embed"
	OpGenerate      = "generate"
	OpEndpointsList = "webhooks.endpoints.list"
	OpEndpointsGet  = "webhooks.endpoints.get"
	OpSecretsGet    = "secrets.get"
	OpCIStatus      = "ci.status"
	OpCICheck       = "ci.check"
)

// Operations returns the catalogue of interactive subjects.
func Operations() []Operation {
	return []Operation{
		{OpEmbed, ServiceEmbedder, false, EmbeddingsRequest{}, EmbeddingsResponse{}, false, "turns texts into vectors (OpenAI embeddings)"},
		{OpGenerate, ServiceGenerator, false, ChatRequest{}, ChatResponse{}, true, "answers a conversation or a prompt (OpenAI chat completions)"},
		{OpEndpointsList, ServiceDispatcher, false, EndpointsListRequest{}, EndpointsList{}, false, "lists the webhook endpoints"},
		{OpEndpointsGet, ServiceDispatcher, false, EndpointRequest{}, Endpoint{}, false, "shows one webhook endpoint"},
		{OpSecretsGet, ServiceSecretd, true, SecretRequest{}, SecretResponse{}, false, "gives a secret, sealed to the caller's one-time key"},
		{OpCIStatus, ServiceCIWatch, false, CIStatusRequest{}, CIStatus{}, false, "tells CI health as last seen"},
		{OpCICheck, ServiceCIWatch, false, CIStatusRequest{}, CIStatus{}, false, "asks GitHub now, then tells CI health"},
	}
}
