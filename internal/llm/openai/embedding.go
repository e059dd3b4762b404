package openai

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Embed implements [llm.EmbedAdapter]. The protocol has no word for what a text is for: InputType is not sent, and whoever calls puts the
// prefix that a model wants in front of each text. Nor has it one for cutting texts: OpenAI refuses those that are too long, and so
// Truncate changes only what the refusal says. Texts and token ids are passed on as they are.
func (a *Adapter) Embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	if err := call.RefuseOutput(a.Provider()); err != nil {
		return nil, err
	}
	for field, asked := range map[string]bool{"dimensions": call.Dimensions != 0, "user": call.User != ""} {
		if asked && slices.Contains(a.opts.Refuse, field) {
			return nil, a.Refuse(field, "it is ignored by this provider's OpenAI-compatible API; leave it out")
		}
	}
	if slices.Contains(a.opts.Refuse, "tokens") {
		if err := call.RefuseTokens(a.Provider()); err != nil {
			return nil, err
		}
	}
	ask := struct {
		Model          string `json:"model"`
		Input          any    `json:"input"`
		Dimensions     int    `json:"dimensions,omitzero"`
		EncodingFormat string `json:"encoding_format,omitzero"`
		User           string `json:"user,omitzero"`
	}{Model: call.Model, Input: call.Texts, Dimensions: call.Dimensions, User: call.User}
	if len(call.Tokens) > 0 {
		ask.Input = call.Tokens
	}
	if a.opts.Base64 {
		ask.EncodingFormat = events.EncodingBase64
	}
	body, err := a.Encode(ask)
	if err != nil {
		return nil, err
	}
	path := "/embeddings"
	if a.opts.Deployments {
		path = "/deployments/" + url.PathEscape(call.Model) + path
	}
	got := embedded{a: a, texts: call.Count()}
	if err := a.Read(ctx, a.request(path, call.Key, body), vectors.Most(call.Count()), got.read); err != nil {
		return nil, uncut(call, err)
	}
	if err := llm.CheckVectors(a.Provider(), got.vectors, call.Count(), call.Dimensions); err != nil {
		return nil, llm.FaultOf(err)
	}
	return &llm.Embedded{Vectors: got.vectors, PromptTokens: got.tokens}, nil
}

// uncut says, of a text that is too long, that it was not cut because the server does not do it.
func uncut(call *llm.EmbedCall, err error) error {
	fault := llm.FaultOf(err)
	if call.Truncate && fault.Class == llm.ClassUnsupported && fault.Err.Code == events.CodeInvalidArgument {
		own, said := *fault, *fault.Err
		said.Message = "truncate: the server does not cut texts: " + said.Message
		own.Err = &said
		return &own
	}
	return fault
}

// EmbedLimits implements [llm.EmbedAdapter]. The protocol does not tell them; see [Options].
func (a *Adapter) EmbedLimits(context.Context, string, secret.Value) (llm.EmbedLimits, error) {
	return a.opts.EmbedLimits, nil
}

// knownLimits are those of who serves a base URL.
func knownLimits(baseURL string) llm.EmbedLimits {
	limits := llm.EmbedLimits{Items: events.MaxInputs}
	if u, err := url.Parse(baseURL); err == nil {
		host := strings.ToLower(u.Hostname())
		if host == "api.openai.com" || strings.HasSuffix(host, ".api.openai.com") || strings.HasSuffix(host, ".openai.azure.com") {
			limits.Tokens, limits.ItemTokens = 300_000, 8192
		}
	}
	return limits
}

// understand knows the texts with which servers refuse what is too long to be embedded, for which they have no word.
func understand(f *llm.Failure) {
	said := strings.ToLower(f.Message)
	switch f.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity, http.StatusInternalServerError:
		for _, words := range [...]string{
			"maximum input length",         // OpenAI
			"max_tokens_per_request",       // OpenAI
			"tokens per request",           // OpenAI
			"exceeds the context length",   // Ollama
			"is too large to process",      // llama.cpp, with status 500
			"must have less than",          // text-embeddings-inference: `inputs` must have less than 512 tokens
			"larger than the max context",  // llama.cpp
			"exceeding max",                // Mistral
			"longer than the maximum",      // vLLM
			"maximum allowed token length", // Cohere's and others' gateways
		} {
			if strings.Contains(said, words) {
				f.Reasons = append(f.Reasons, llm.ReasonTooLong)
				return
			}
		}
	}
}

// embedded is an answer with vectors, while it is read.
type embedded struct {
	a       *Adapter
	texts   int
	vectors [][]float32
	tokens  int
	found   int
	width   int // of the vectors
	listed  bool
	failed  []byte // the error that the answer holds
}

// maxAside is the most that is read of what stands beside the vectors and is understood, in bytes.
const maxAside = 64 << 10

// read reads the answer.
func (e *embedded) read(src io.Reader) error {
	e.vectors = make([][]float32, e.texts)
	s := vectors.NewScanner(src)
	err := s.Object(func(name string) (err error) {
		switch name {
		case "data":
			return e.data(s)
		case "usage":
			return e.usage(s)
		case "error":
			e.failed, err = s.Raw(maxAside)
			return err
		default:
			return s.Skip()
		}
	})
	if err == nil {
		err = s.End()
	}
	switch {
	case err != nil:
		return err
	case e.found == 0 && there(e.failed) != nil:
		return e.a.InBand(wrapError(e.failed))
	case e.found != e.texts:
		return e.a.Bad("%d vectors for %d texts", e.found, e.texts)
	}
	return nil
}

// data reads the list of vectors; null is none.
func (e *embedded) data(s *vectors.Scanner) error {
	if null, err := s.Null(); null || err != nil {
		return err
	}
	if e.listed {
		return e.a.Bad("data comes twice")
	}
	e.listed = true
	return s.Array(func(i int) error {
		if i == e.texts {
			return e.a.Bad("more than %d vectors for %d texts", e.texts, e.texts)
		}
		return e.item(s, i)
	})
}

// item reads one of the list. The index decides which text it belongs to: they may come in any order.
func (e *embedded) item(s *vectors.Scanner, i int) error {
	const none = -1
	index, vector, seen := none, []float32(nil), false
	err := s.Object(func(name string) (err error) {
		switch name {
		case "index":
			if index != none {
				return e.a.Bad("data[%d] has two indexes", i)
			}
			if index, err = s.Int(); err == nil && (index < 0 || index >= e.texts) {
				err = e.a.Bad("data[%d] has index %d of %d texts", i, index, e.texts)
			}
			return err
		case "embedding":
			if seen {
				return e.a.Bad("data[%d] has two embeddings", i)
			}
			seen = true
			vector, err = s.Vector()
			return err
		default:
			return s.Skip()
		}
	})
	switch {
	case err != nil:
		return err
	case index == none:
		return e.a.Bad("data[%d] has no index", i)
	case len(vector) == 0:
		return e.a.Bad("data[%d] has no embedding", i)
	case e.vectors[index] != nil:
		return e.a.Bad("index %d comes twice", index)
	case e.width > 0 && len(vector) != e.width:
		return e.a.Bad("data[%d] has %d dimensions, data[0] has %d", i, len(vector), e.width)
	}
	e.width = len(vector)
	e.vectors[index] = vector
	e.found++
	return nil
}

// usage reads the count of tokens. One that cannot be believed is none.
func (e *embedded) usage(s *vectors.Scanner) error {
	raw, err := s.Raw(maxAside)
	if err != nil {
		return err
	}
	var got struct {
		Prompt float64 `json:"prompt_tokens"`
		Total  float64 `json:"total_tokens"`
	}
	if err := e.a.Decode(raw, &got); err != nil {
		return err
	}
	n := got.Prompt
	if n == 0 { // some servers tell the sum only
		n = got.Total
	}
	if n > 0 && n <= maxTokens {
		e.tokens = int(n)
	}
	return nil
}

// wrapError puts an error back where it stood, under "error".
func wrapError(raw []byte) []byte {
	return append(append([]byte(`{"error":`), raw...), '}')
}
