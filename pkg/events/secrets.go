package events

// SecretRequest is the body of a request on mlsdm.as.<caller>.secrets.get.
type SecretRequest struct {
	// Name is the secret's name: 1 to 128 of the characters A-Z a-z 0-9 _ . -, without "..", as listed by the operator.
	Name string `json:"name" jsonschema:"minLength=1,maxLength=128"`
	// RecipientKey is the public xkey (a curve key, starting with X) that the caller made for this one request.
	RecipientKey string `json:"recipient_key" jsonschema:"minLength=1"`
}

// SecretResponse carries a secret sealed to the caller's key, so that nobody who reads the bus can read the value.
type SecretResponse struct {
	Name string `json:"name" jsonschema:"minLength=1,maxLength=128"`
	// Source names the store that answered, for example "env".
	Source string `json:"source"`
	// Version is the store's version of the value, where it has versions.
	Version string `json:"version,omitempty"`
	// SenderKey is the public xkey of the service, made for this one reply.
	SenderKey string `json:"sender_key"`
	// Sealed is base64 of the value, sealed from SenderKey to RecipientKey (NATS xkeys: X25519, XSalsa20, Poly1305).
	Sealed []byte `json:"sealed"`
}
