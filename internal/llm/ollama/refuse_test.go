package ollama_test

// refusals are requests that Ollama cannot honour, by the field that is named.
func refusals() map[string]string {
	message := func(content string) string { return `{"messages":[{"role":"user","content":` + content + `}]}` }
	const tool = `"tools":[{"type":"function","function":{"name":"f"}}]`
	return map[string]string{
		"n":                  `{"n":2}`,
		"stop[1]":            `{"stop":["END",""]}`,
		"user":               `{"user":"u-1"}`,
		"safety_identifier":  `{"safety_identifier":"u-1"}`,
		"logprobs":           `{"logprobs":true}`,
		"top_logprobs":       `{"top_logprobs":3}`,
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
		"reasoning_effort":   `{"reasoning_effort":"minimal"}`,
		"options":            `{"options":{"num_ctx":1}}`,
		"my_field":           `{"my_field":1}`,

		"parallel_tool_calls":                     `{` + tool + `,"parallel_tool_calls":false}`,
		"tool_choice":                             `{` + tool + `,"tool_choice":"required"}`,
		"tool_choice: Ollama":                     `{` + tool + `,"tool_choice":{"type":"function","function":{"name":"f"}}}`,
		"tool_choice.type":                        `{"tool_choice":{"type":"custom"}}`,
		"tools[0].type":                           `{"tools":[{"type":"custom"}]}`,
		"tools[0].function.strict":                `{"tools":[{"type":"function","function":{"name":"f","strict":true}}]}`,
		"tools[1].function.cache":                 `{"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g","cache":1}}]}`,
		"response_format.type":                    `{"response_format":{"type":"grammar"}}`,
		"response_format.json_schema.description": `{"response_format":{"type":"json_schema","json_schema":{"name":"a","description":"b","schema":{}}}}`,

		"messages[0].name":                                `{"messages":[{"role":"user","name":"Eve","content":"hi"}]}`,
		"messages[0].content[1].type":                     message(`[{"type":"text","text":"a"},{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}]`),
		"messages[0].content[0].image_url.url":            message(`[{"type":"image_url","image_url":{"url":"https://a.example/a.png"}}]`),
		"messages[0].content[0].image_url.url: Ollama":    message(`[{"type":"image_url","image_url":{"url":"HTTP://a.example/a.png"}}]`),
		"messages[0].content[1].image_url.url: Ollama":    message(`[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/gif;base64,AAAA"}}]`),
		"messages[0].content[0].image_url.detail: Ollama": message(`[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}]`),
		"messages[0].content[0]: Ollama":                  `{"messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`,
		"messages[0].tool_calls[0].type":                  `{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"custom","function":{"name":"f","arguments":"{}"}}]}]}`,
	}
}
