package anthropic_test

// refusals are requests that Anthropic cannot honour, by the field that is named.
func refusals() map[string]string {
	message := func(content string) string { return `{"messages":[{"role":"user","content":` + content + `}]}` }
	return map[string]string{
		"temperature": `{"temperature":1.01}`,
		"n":           `{"n":2}`,
		"seed":        `{"seed":0}`,
		"stop[1]":     `{"stop":["END"," \n"]}`,

		"logprobs":           `{"logprobs":true}`,
		"top_logprobs":       `{"top_logprobs":3}`,
		"frequency_penalty":  `{"frequency_penalty":0.5}`,
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
		"mcp_servers":        `{"mcp_servers":[]}`,
		"prompt_cache_key":   `{"prompt_cache_key":"a"}`,
		"service_tier":       `{"service_tier":"flex"}`,
		"reasoning_effort":   `{"reasoning_effort":"minimal"}`,
		"my_field":           `{"my_field":1}`,

		"response_format.type":                    `{"response_format":{"type":"json_object"}}`,
		"response_format.json_schema.description": `{"response_format":{"type":"json_schema","json_schema":{"name":"a","description":"b","schema":{}}}}`,
		"response_format.json_schema.root":        `{"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{},"root":1}}}`,
		"tools[0].type":                           `{"tools":[{"type":"custom"}]}`,
		"tools[1].function.cache":                 `{"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g","cache":1}}]}`,
		"tool_choice.type":                        `{"tool_choice":{"type":"custom"}}`,
		"tool_choice.allowed_tools":               `{"tool_choice":{"type":"allowed_tools","allowed_tools":{}}}`,

		"messages[0].name":                              `{"messages":[{"role":"user","name":"Eve","content":"hi"}]}`,
		"messages[0].content":                           message(`" \n"`),
		"messages[2].role":                              `{"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"},{"role":"developer","content":"c"}]}`,
		"messages:":                                     `{"messages":[{"role":"system","content":"a"}]}`,
		"messages[0].content[1].type":                   message(`[{"type":"text","text":"a"},{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}]`),
		"messages[0].content[0].lang":                   message(`[{"type":"text","text":"a","lang":"en"}]`),
		"messages[0].content[0].image_url.detail":       message(`[{"type":"image_url","image_url":{"url":"https://a.example/a.png","detail":"low"}}]`),
		"messages[0].content[0].image_url.url":          message(`[{"type":"image_url","image_url":{"url":"data:image/tiff;base64,AAAA"}}]`),
		"messages[0].content[0].file.file_id":           message(`[{"type":"file","file":{"file_id":"file-1"}}]`),
		"messages[0].content[0].file.file_data":         message(`[{"type":"file","file":{"filename":"a.txt","file_data":"data:text/plain;base64,AAAA"}}]`),
		"messages[0].content[0]: Anthropic's system":    `{"messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"https://a.example/a.png"}}]}]}`,
		"messages[1].content[0]: Anthropic's assistant": `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"image_url","image_url":{"url":"https://a.example/a.png"}}]}]}`,
		"messages[0].tool_calls[0].id":                  `{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"f:0","type":"function","function":{"name":"f","arguments":"{}"}}]}]}`,
		"messages[0].tool_calls[0].type":                `{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"custom","function":{"name":"f","arguments":"{}"}}]}]}`,
		"messages[0].tool_call_id":                      `{"messages":[{"role":"tool","tool_call_id":"f:0","content":"a"}]}`,
	}
}
