package secretd

import (
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/rules"
)

// Ruling is what a file of rules says about one caller and one secret.
type Ruling struct {
	Caller string `json:"caller"`
	Name   string `json:"name"`
	// Get, List and Refresh say what the caller may do.
	Get     bool `json:"get"`
	List    bool `json:"list"`
	Refresh bool `json:"refresh"`
	// Configured says that the file names the secret, or that it is a reference; From is where it is then looked for, in this order.
	Configured bool     `json:"configured"`
	From       []string `json:"from,omitempty"`
}

// Explain reads a file of rules (SECRETD_CONFIG), of which file is the name in errors, and says what it lets a caller do with a
// secret. It asks nobody. Errors name the line of the file, or say why caller or name can be none.
func Explain(file string, text []byte, caller, name string) (Ruling, error) {
	r, err := rules.Parse(file, text)
	if err != nil {
		return Ruling{}, err
	}
	if err := events.CheckToken("the caller", caller); err != nil {
		return Ruling{}, err
	}
	t, err := parse(name)
	if err != nil {
		return Ruling{}, err
	}
	ruling := Ruling{
		Caller: caller, Name: t.text,
		Get: r.May(caller, rules.Get, t.text), List: r.May(caller, rules.List, t.text), Refresh: r.May(caller, rules.Refresh, t.text),
	}
	if t.isRef {
		ruling.Configured = true
	} else {
		t, ruling.Configured = configured(r, t)
	}
	for _, ref := range t.refs {
		ruling.From = append(ruling.From, secret.Ref.String(ref))
	}
	return ruling, nil
}
