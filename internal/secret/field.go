package secret

import (
	"encoding/json"
	"fmt"
)

// Pick returns one field of a text that is a JSON object, as aws and azure keep several secrets in one. What is no object, has no
// such field, or has none there that is a text is [ErrUnusable]; the error names the field and holds nothing of the text.
// Without a field it returns the text.
func Pick(text, field string) (string, error) {
	if field == "" {
		return text, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil || members == nil { // its error repeats what it read
		return "", fmt.Errorf("%w: it is no JSON object, so it has no field %s", ErrUnusable, field)
	}
	member, ok := members[field]
	if !ok {
		return "", fmt.Errorf("%w: it has no field %s", ErrUnusable, field)
	}
	var value *string
	if err := json.Unmarshal(member, &value); err != nil || value == nil {
		return "", fmt.Errorf("%w: its field %s is no text", ErrUnusable, field)
	}
	return *value, nil
}
