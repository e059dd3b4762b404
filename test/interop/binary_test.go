package interop_test

import (
	"context"
	"io"
	"testing"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// natsMessage is a NATS message that the SDK writes in binary mode, with the header names of its own NATS protocol.
type natsMessage struct {
	header map[string][]string
	body   []byte
}

var _ binding.BinaryWriter = (*natsMessage)(nil)

func (m *natsMessage) Start(context.Context) error { return nil }
func (m *natsMessage) End(context.Context) error   { return nil }

func (m *natsMessage) SetAttribute(attribute spec.Attribute, value any) error {
	name := spec.WithPrefix("ce-").Version("1.0").AttributeFromKind(attribute.Kind()).PrefixedName()
	if attribute.Kind() == spec.DataContentType {
		name = "content-type"
	}
	return m.set(name, value)
}

func (m *natsMessage) SetExtension(name string, value any) error { return m.set("ce-"+name, value) }

func (m *natsMessage) set(name string, value any) error {
	if value == nil {
		return nil
	}
	text, err := types.Format(value)
	m.header[name] = []string{text}
	return err
}

func (m *natsMessage) SetData(data io.Reader) (err error) {
	m.body, err = io.ReadAll(data)
	return err
}

// writeBinary lets the SDK write an event in binary mode.
func writeBinary(t *testing.T, ev event.Event) *natsMessage {
	t.Helper()
	m := &natsMessage{header: map[string][]string{}}
	encoding, err := binding.Write(binding.WithForceBinary(t.Context()), binding.ToMessage(&ev), nil, m)
	require.NoError(t, err)
	require.Equal(t, binding.EncodingBinary, encoding)
	return m
}

func TestWeReadWhatTheSDKWritesBinary(t *testing.T) {
	t.Parallel()
	for name, theirs := range written(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := writeBinary(t, theirs)
			require.Equal(t, []string{"1.0"}, m.header["ce-specversion"])
			ours, err := events.FromMessage(events.Subjects{}, "mlsdm.events.custom.deploy", m.header, m.body, events.Stored{})
			require.NoError(t, err)
			if name == "extensions" { // a header has no types: every extension is a string
				require.Equal(t, map[string]any{"tenant": "shop", "dry": "true", "build": "2147483647"}, ours.Extensions)
				theirs.SetExtension("dry", "true")
				theirs.SetExtension("build", "2147483647")
			}
			requireSame(t, ours, theirs)
		})
	}
}

func TestWeReadGoldensThatTheSDKMadeBinary(t *testing.T) {
	t.Parallel()
	for name, golden := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var theirs event.Event
			require.NoError(t, theirs.UnmarshalJSON(golden))
			m := writeBinary(t, theirs)
			subject := events.Subjects{}.Event(theirs.Type())
			ours, err := events.FromMessage(events.Subjects{}, subject, m.header, m.body, events.Stored{})
			require.NoError(t, err)
			direct, err := events.ParseStructured(golden)
			require.NoError(t, err)
			for extension, value := range direct.Extensions {
				text, err := types.Format(value)
				require.NoError(t, err)
				direct.Extensions[extension] = text
			}
			require.Equal(t, direct.Extensions, ours.Extensions)
			require.Equal(t, direct.ID, ours.ID)
			require.Equal(t, direct.Subject, ours.Subject)
			require.True(t, direct.Time.Equal(ours.Time))
			requireSameData(t, string(direct.Data), string(ours.Data))
		})
	}
}
