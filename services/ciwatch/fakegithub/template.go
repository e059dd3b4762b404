package fakegithub

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed run.json
var embeddedRun []byte

// embeddedTemplate returns the workflow run that was written for this package, in the shape of GitHub's.
func embeddedTemplate() json.RawMessage { return json.RawMessage(embeddedRun) }

// LoadTemplates reads the workflow_run object of every webhook body in a folder whose file name is
// workflow_run.*.payload.json. Its error is [os.ErrNotExist] when the folder is not there or has none.
func LoadTemplates(folder string) ([]json.RawMessage, error) {
	files, err := filepath.Glob(filepath.Join(folder, "workflow_run.*.payload.json"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no workflow_run.*.payload.json: %w", folder, os.ErrNotExist)
	}
	var templates []json.RawMessage
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var webhook struct {
			WorkflowRun json.RawMessage `json:"workflow_run"`
		}
		if err := json.Unmarshal(body, &webhook); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if len(webhook.WorkflowRun) == 0 {
			return nil, fmt.Errorf("%s: %w", file, errors.New("the body has no workflow_run"))
		}
		templates = append(templates, webhook.WorkflowRun)
	}
	return templates, nil
}
