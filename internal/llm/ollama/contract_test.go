package ollama_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/ollama"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// quote writes a string as JSON.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be written
	}
	return string(text)
}

// head is how every answer and line starts.
const head = `{"model":"llama-x:latest","created_at":"2026-08-01T12:00:00.123456789Z","message":{"role":"assistant",`

// done is how the last line of an answer ends.
func done(r llmtest.Reply) string {
	return `"done":true,"done_reason":` + quote(r.Said[0].Finish) + `,"total_duration":5191566416,"load_duration":2154458,"prompt_eval_count":` +
		strconv.Itoa(r.Usage.Prompt) + `,"prompt_eval_duration":383809000,"eval_count":` + strconv.Itoa(r.Usage.Completion) + `,"eval_duration":4799921000}`
}

// called writes a call.
func called(index int, call llmtest.Called) string {
	return `{"id":` + quote(call.ID) + `,"function":{"index":` + strconv.Itoa(index) + `,"name":` + quote(call.Name) + `,"arguments":` + call.Arguments + `}}`
}

// answerOf writes a whole answer, with a thought.
func answerOf(r llmtest.Reply) string {
	said := r.Said[0]
	message := `"content":` + quote(said.Text) + `,"thinking":"hm"`
	var calls []string
	for i, call := range said.Calls {
		calls = append(calls, called(i, call))
	}
	if calls != nil {
		message += `,"tool_calls":[` + strings.Join(calls, ",") + `]`
	}
	return head + message + `},` + done(r)
}

// line writes a line that is not the last.
func line(message string) string { return head + message + `},"done":false}` + "\n" }

// streamOf writes an answer as a stream: a thought, the text, the calls.
func streamOf(r llmtest.Reply) []string {
	said := r.Said[0]
	all := []string{line(`"content":"","thinking":"hm"`)}
	for _, piece := range llmtest.Cut(said.Text) {
		all = append(all, line(`"content":`+quote(piece)))
	}
	for i, call := range said.Calls {
		all = append(all, line(`"content":"","tool_calls":[`+called(i, call)+`]`))
	}
	return append(all, head+`"content":""},`+done(r)+"\n")
}

// failure writes the body of an error.
func failure(message string) string { return `{"error":` + quote(message) + `}` }

// nothing is a line that says nothing.
var nothing = line(`"content":""`) //nolint:gochecknoglobals // a constant, but for the function

// dialect is the protocol for the suite.
func dialect() llmtest.Dialect {
	return llmtest.Dialect{
		New: func(t testing.TB, url string, client *http.Client) llm.Adapter {
			t.Helper()
			return connect(t, ollama.Config{BaseURL: url, HTTP: client})
		},
		Provider: "ollama",
		Answer:   answerOf, Stream: streamOf, StreamType: "application/x-ndjson", Preface: nothing, Ping: nothing,
		Finishes: map[string]string{"stop": events.FinishStop, "length": events.FinishLength},
		Tools:    true,
		Error:    failure, InAnswer: failure,
		InStream:     func(message string) string { return failure(message) + "\n" },
		Errors:       failures(),
		AnswerErrors: badAnswers(), StreamErrors: badStreams(),
		Refuses: refusals(),
	}
}

func TestContract(t *testing.T) { //nolint:paralleltest // the suite decides what is parallel
	llmtest.RunAdapter(t, dialect())
}

func FuzzAnswer(f *testing.F) { llmtest.FuzzAnswer(f, dialect()) }

func FuzzStream(f *testing.F) { llmtest.FuzzStream(f, dialect()) }
