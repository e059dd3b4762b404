package llm

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// EmbedCall is one attempt at embeddings: one request to one server with one key.
type EmbedCall struct {
	// Model is the provider's own name of the model.
	Model string
	// Texts are 1 or more texts, none of them empty, and no more than the server takes at once (see [EmbedLimits]).
	Texts []string
	// Tokens are the texts as the ids of their tokens, in the place of Texts. A server that takes no token ids is not asked: that is a
	// [Fault] which names the field input.
	Tokens [][]int32
	// Dimensions is the wanted length of the vectors, for servers that can shorten them; 0 is the model's own.
	Dimensions int
	// InputType says what the texts are for: one of the values of input_type of the contract, or empty.
	InputType string
	// Output is of what the numbers of the vectors are, for servers that can quantise them. The zero value is floating point.
	Output OutputType
	// Truncate has the server drop the end of a text that is too long for the model. Without it, such a text is a [Fault] of class
	// [ClassUnsupported] and code invalid_argument: a server that would cut in silence is asked not to.
	Truncate bool
	// User is an opaque end-user id for providers that take one; it may be empty.
	User string
	// Key goes into the request's header. The zero value is none.
	Key secret.Value
}

// Count is the number of texts.
func (c *EmbedCall) Count() int { return max(len(c.Texts), len(c.Tokens)) }

// RefuseTokens is the error of a call with token ids, of a provider that takes none; nil of any other call.
func (c *EmbedCall) RefuseTokens(provider string) error {
	if len(c.Tokens) == 0 {
		return nil
	}
	return &Fault{Class: ClassUnsupported, Err: Refuse(provider, "input: it takes no token ids; send the texts themselves")}
}

// OutputType is of what the numbers of vectors are (Cohere's reference of POST /v2/embed calls it embedding_types). Vectors of two types do
// not lie in one space.
type OutputType string

// The types of output. Whatever they are on the wire, the vectors of an [Embedded] have a number for each dimension, around zero, so that
// their dot product and their cosine mean what those of floating point do.
const (
	// OutputFloat is floating point.
	OutputFloat OutputType = ""
	// OutputInt8 has whole numbers of -128 to 127.
	OutputInt8 OutputType = "int8"
	// OutputUint8 has whole numbers of 0 to 255 on the wire, from which 128 is taken.
	OutputUint8 OutputType = "uint8"
	// OutputBinary has one bit a dimension, eight of them a number of -128 to 127 on the wire. The vector has 1 for a bit that is set, and
	// -1 for one that is not.
	OutputBinary OutputType = "binary"
	// OutputUbinary is as OutputBinary; the numbers on the wire are 0 to 255.
	OutputUbinary OutputType = "ubinary"
)

// OutputTypes are those that a server can be asked for beside floating point.
func OutputTypes() []OutputType {
	return []OutputType{OutputInt8, OutputUint8, OutputBinary, OutputUbinary}
}

// RefuseOutput is the error of a call for another output than floating point, of a provider that has none; nil of any other call.
func (c *EmbedCall) RefuseOutput(provider string) error {
	if c.Output == OutputFloat {
		return nil
	}
	return &Fault{Class: ClassUnsupported, Err: Refuse(provider, "output_type: it makes no vectors of type %s", c.Output)}
}

// Embedded is the answer to an [EmbedCall].
type Embedded struct {
	// Vectors has one vector for each text, in the order of the texts: finite, not all zeros, and of one length.
	Vectors [][]float32
	// PromptTokens is the number of tokens as the server counted them; 0 when it did not say.
	PromptTokens int
	// Served is which model the server says that it has, with its version and precision; empty where it does not tell. When it is another
	// than before, another model stands behind the name.
	Served string
	// Tokens is how many tokens each text has, before any was cut, if the adapter counts them itself; nil otherwise.
	Tokens []int
	// Truncated is how much was read of the texts that were cut, by their place, if the adapter knows.
	Truncated map[int]events.Truncation
}

// EmbedLimits is what a server takes at once. 0 is no limit that is known.
type EmbedLimits struct {
	// Items is the number of texts in one call.
	Items int
	// Tokens is the number of tokens in one call, all texts together.
	Tokens int
	// ItemTokens is the number of tokens of one text, over which it is cut or refused.
	ItemTokens int
}

// EmbedAdapter speaks the protocol of one server of embeddings. It makes exactly one request for each call: whether, when and where it
// is repeated is decided above it. It is safe for concurrent use.
//
// What the server cannot do is a [Fault] of class [ClassUnsupported] that names the field, made before anything is sent; nothing is
// dropped silently. An answer that is not one vector for each text, in order, of one length and finite, is a [Fault] of class
// [ClassAnswer]. Every error is a *[Fault].
type EmbedAdapter interface {
	// Embed returns a vector for each text, or a fault: never some of them.
	Embed(ctx context.Context, call *EmbedCall) (*Embedded, error)
	// EmbedLimits returns what the server takes at once. Servers that tell are asked; others are known.
	EmbedLimits(ctx context.Context, model string, key secret.Value) (EmbedLimits, error)
}
