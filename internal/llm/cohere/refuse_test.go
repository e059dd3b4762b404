package cohere_test

// refusals are requests that Cohere cannot honour, by the field that is named.
func refusals() map[string]string {
	message := func(content string) string { return `{"messages":[{"role":"user","content":` + content + `}]}` }
	const tool = `"tools":[{"type":"function","function":{"name":"f"}}]`
	return map[string]string{
		"temperature":        `{"temperature":1.01}`,
		"top_p: Cohere":      `{"top_p":1}`,
		"top_p":              `{"top_p":0.005}`,
		"n":                  `{"n":2}`,
		"seed":               `{"seed":-1}`,
		"stop[1]":            `{"stop":["END",""]}`,
		"user":               `{"user":"u-1"}`,
		"safety_identifier":  `{"safety_identifier":"u-1"}`,
		"top_k":              `{"top_k":501}`,
		"logprobs":           `{"logprobs":true}`,
		"top_logprobs":       `{"top_logprobs":3}`,
		"frequency_penalty":  `{"frequency_penalty":1.5}`,
		"presence_penalty":   `{"presence_penalty":-1}`,
		"logit_bias":         `{"logit_bias":{"50256":-100}}`,
		"modalities":         `{"modalities":["text","audio"]}`,
		"audio":              `{"audio":{"voice":"a","format":"mp3"}}`,
		"store":              `{"store":true}`,
		"metadata":           `{"metadata":{"a":"b"}}`,
		"verbosity":          `{"verbosity":"low"}`,
		"prediction":         `{"prediction":{"type":"content","content":"a"}}`,
		"web_search_options": `{"web_search_options":{}}`,
		"functions":          `{"functions":[{"name":"f"}]}`,
		"service_tier":       `{"service_tier":"flex"}`,
		"reasoning_effort":   `{"reasoning_effort":"low"}`,
		"documents":          `{"documents":["a"]}`,
		"citation_options":   `{"citation_options":{"mode":"FAST"}}`,
		"my_field":           `{"my_field":1}`,

		"parallel_tool_calls":                     `{` + tool + `,"parallel_tool_calls":false}`,
		"tool_choice":                             `{` + tool + `,"tool_choice":{"type":"function","function":{"name":"f"}}}`,
		"tool_choice.type":                        `{"tool_choice":{"type":"custom"}}`,
		"tools[0].type":                           `{"tools":[{"type":"custom"}]}`,
		"tools[1].function.cache":                 `{"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g","cache":1}}]}`,
		"tools[1].function.strict":                `{"tools":[{"type":"function","function":{"name":"f","strict":true}},{"type":"function","function":{"name":"g"}}]}`,
		"tools[2].function.strict":                `{"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}},{"type":"function","function":{"name":"h","strict":true}}]}`,
		"response_format":                         `{` + tool + `,"response_format":{"type":"json_object"}}`,
		"response_format.type":                    `{"response_format":{"type":"grammar"}}`,
		"response_format.json_schema.description": `{"response_format":{"type":"json_schema","json_schema":{"name":"a","description":"b","schema":{}}}}`,
		"response_format.json_schema.root":        `{"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{},"root":1}}}`,

		"messages[0].name":               `{"messages":[{"role":"user","name":"Eve","content":"hi"}]}`,
		"messages[0].content[1].type":    message(`[{"type":"text","text":"a"},{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}]`),
		"messages[0].content[0].lang":    message(`[{"type":"text","text":"a","lang":"en"}]`),
		"messages[0].content[0]: Cohere": `{"messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"https://a.example/a.png"}}]}]}`,
		"messages[0].tool_calls[0].type": `{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"custom","function":{"name":"f","arguments":"{}"}}]}]}`,
	}
}
