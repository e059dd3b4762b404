module github.com/neuron7x/mlsdm-integrations/test/sdk

go 1.26.0

replace (
	github.com/neuron7x/mlsdm-integrations => ../..
	github.com/neuron7x/mlsdm-integrations/pkg => ../../pkg
)

require (
	github.com/neuron7x/mlsdm-integrations v0.0.0
	github.com/openai/openai-go/v3 v3.96.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/coder/websocket v1.8.15 // indirect
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/neuron7x/mlsdm-integrations/pkg v0.0.0 // indirect
	github.com/tidwall/gjson v1.20.0 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.1 // indirect
	github.com/tidwall/sjson v1.2.5 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
)
