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

// natsMessage is a NATS message that the SDK writes in binary mode. Values stand as they are, not percent-encoded, as the
// SDK's own NATS protocols write them.
type natsMessage struct {
	contentType string // the header of the data's media type
	header      map[string][]string
	body        []byte
}

var _ binding.BinaryWriter = (*natsMessage)(nil)

func (m *natsMessage) Start(context.Context) error { return nil }
func (m *natsMessage) End(context.Context) error   { return nil }

func (m *natsMessage) SetAttribute(attribute spec.Attribute, value any) error {
	if attribute.Kind() == spec.DataContentType {
		return m.set(m.contentType, value)
	}
	return m.set("ce-"+attribute.Name(), value)
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

// contentTypes are the headers that carry the media type of the data: that of the SDK's NATS protocols, and that of the
// binding's specification.
func contentTypes() []string { return []string{"ce-datacontenttype", "content-type"} }

// writeBinary lets the SDK write an event in binary mode.
func writeBinary(t *testing.T, ev event.Event, contentType string) *natsMessage {
	t.Helper()
	m := &natsMessage{contentType: contentType, header: map[string][]string{}}
	encoding, err := binding.Write(binding.WithForceBinary(t.Context()), binding.ToMessage(&ev), nil, m)
	require.NoError(t, err)
	require.Equal(t, binding.EncodingBinary, encoding)
	return m
}

func TestWeReadWhatTheSDKWritesBinary(t *testing.T) {
	t.Parallel()
	for _, contentType := range contentTypes() {
		for name, theirs := range written(t) {
			t.Run(name+", "+contentType, func(t *testing.T) {
				t.Parallel()
				m := writeBinary(t, theirs, contentType)
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
}

func TestWeReadGoldensThatTheSDKMadeBinary(t *testing.T) {
	t.Parallel()
	for name, golden := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct, err := events.ParseStructured(golden)
			require.NoError(t, err)
			for extension, value := range direct.Extensions {
				text, err := types.Format(value)
				require.NoError(t, err)
				direct.Extensions[extension] = text
			}
			var theirs event.Event
			require.NoError(t, theirs.UnmarshalJSON(golden))
			for _, contentType := range contentTypes() {
				m := writeBinary(t, theirs, contentType)
				ours, err := events.FromMessage(events.Subjects{}, events.Subjects{}.Event(direct.Type), m.header, m.body, events.Stored{})
				require.NoError(t, err)
				requireSameData(t, string(direct.Data), string(ours.Data))
				require.True(t, direct.Time.Equal(ours.Time))
				ours.Data, ours.Time = direct.Data, direct.Time
				require.Equal(t, direct, ours)
			}
		})
	}
}
