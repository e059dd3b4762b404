package huggingface

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// MaxTexts is how many texts are sent at once: what the servers behind the router take that were started without saying otherwise.
const MaxTexts = 32

const (
	// runner is who runs models that extract features; the router's other providers have paths of their own.
	runner = "hf-inference"
	// maxPooled is how many texts are sent at once where vectors of tokens may come back.
	maxPooled = 4
	// maxTokens bounds how many vectors of tokens one answer may hold.
	maxTokens = 1 << 17
)

// embedding is the body of a request for features.
type embedding struct {
	Inputs []string `json:"inputs"`
	// Truncate is always sent: what the server does without it depends on how it was started.
	Truncate   bool   `json:"truncate"`
	Normalize  bool   `json:"normalize,omitempty"`
	PromptName string `json:"prompt_name,omitempty"`
}

// Embed implements [llm.EmbedAdapter], by the task feature-extraction of the provider hf-inference. [Options.Suffix] does not concern it.
func (a *Adapter) Embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	if err := call.RefuseOutput(a.features.Provider()); err != nil {
		return nil, err
	}
	if err := call.RefuseTokens(a.features.Provider()); err != nil {
		return nil, err
	}
	path, err := a.path(call.Model)
	switch {
	case err != nil:
		return nil, err
	case call.Dimensions != 0:
		return nil, a.features.Refuse("dimensions", "the router cannot shorten vectors")
	}
	body, err := a.features.Encode(&embedding{
		Inputs: call.Texts, Truncate: call.Truncate, Normalize: a.opts.Normalize, PromptName: a.opts.Prompts[call.InputType],
	})
	if err != nil {
		return nil, err
	}
	list := vectors.Lists{Most: len(call.Texts)}
	if a.opts.Pooling != "" {
		list.Most = maxTokens
	}
	if err := a.features.Call(ctx, wire.Request{Path: path, Body: body, Key: call.Key, Header: a.opts.Header}, &list); err != nil {
		return nil, err
	}
	if wire.ReadError(list.Other).Message != "" {
		return nil, a.features.InBand(list.Other)
	}
	rows, err := a.pooled(&list, len(call.Texts))
	if err != nil {
		return nil, err
	}
	if err := llm.CheckVectors(a.features.Provider(), rows, len(call.Texts), 0); err != nil {
		return nil, llm.FaultOf(err)
	}
	return &llm.Embedded{Vectors: rows}, nil
}

// EmbedLimits implements [llm.EmbedAdapter]. The router does not tell them. Vectors of tokens are hundreds for each text, so that an answer
// has room for few texts.
func (a *Adapter) EmbedLimits(context.Context, string, secret.Value) (llm.EmbedLimits, error) {
	if a.opts.Pooling != "" {
		return llm.EmbedLimits{Items: maxPooled}, nil
	}
	return llm.EmbedLimits{Items: MaxTexts}, nil
}

// path is where the features of a model are extracted.
func (a *Adapter) path(model string) (string, error) {
	name, by, suffixed := strings.Cut(model, ":")
	if suffixed && by != runner {
		return "", a.features.Refuse("model", "embeddings are made by "+runner+" only; leave out what stands behind the colon")
	}
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if part == "" || part == "." || part == ".." || len(parts) > 2 { //nolint:mnd // an organization and a name
			return "", a.features.Invalid("%q is not the name of a model on Hugging Face, such as BAAI/bge-small-en-v1.5", llm.Bound(model, maxModel))
		}
		parts[i] = url.PathEscape(part)
	}
	return "/" + runner + "/models/" + strings.Join(parts, "/") + "/pipeline/feature-extraction", nil
}

// maxModel bounds the name of a model in an error, in bytes.
const maxModel = 120

// readFeatureError is readError for a server that also says how long it takes until a model that it is loading is there.
func readFeatureError(body []byte) llm.Failure {
	f := readError(body)
	var loading struct {
		Seconds float64 `json:"estimated_time"`
	}
	if json.Unmarshal(body, &loading) == nil && loading.Seconds > 0 {
		const day = 24 * 60 * 60
		f.Reset = time.Now().Add(time.Duration(min(loading.Seconds, day) * float64(time.Second)))
	}
	return f
}

// understand knows what the router has only a text for: that nobody runs the model.
func understand(f *llm.Failure) {
	if f.Status == http.StatusBadRequest && strings.Contains(f.Message, "not supported by provider") {
		f.Reasons = append(f.Reasons, "model_not_supported")
	}
}
