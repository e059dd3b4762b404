package aws_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

const region = "eu-central-1"

// fake answers as Secrets Manager does to GetSecretValue (application/x-amz-json-1.1). Its messages are AWS's, with the Canary
// where AWS repeats what it was asked.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
type fake struct {
	mu      sync.Mutex
	secrets map[string]stored // by their names
}

type stored struct {
	versions []map[string]any
	deleted  bool
}

// versionID is what the fake calls a version, 0 for the oldest.
func versionID(n int) string { return fmt.Sprintf("a1b2c3d4-5678-90ab-cdef-%012d", n+1) }

// put adds a version, which is the current one then.
func (f *fake) put(name string, c secrettest.Content) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.secrets[name]
	version := map[string]any{"ARN": "arn:aws:secretsmanager:" + region + ":123456789012:secret:" + name + "-a1b2c3", "Name": name, "CreatedDate": 1.523477145713e9}
	version["VersionId"] = versionID(len(s.versions))
	switch {
	case c.Fields != nil:
		text, err := json.Marshal(c.Fields)
		if err != nil {
			panic(err)
		}
		version["SecretString"] = string(text)
	case c.Binary != nil:
		version["SecretBinary"] = c.Binary
	default:
		version["SecretString"] = c.Text
	}
	s.versions = append(s.versions, version)
	f.secrets[name] = s
}

// find returns a version by what a request says.
func (s stored) find(id, stage string) (map[string]any, bool) {
	at := -1
	switch last := len(s.versions) - 1; {
	case id != "":
		at = slices.IndexFunc(s.versions, func(v map[string]any) bool { return v["VersionId"] == id })
	case stage == "" || stage == "AWSCURRENT":
		at = last
	case stage == "AWSPREVIOUS":
		at = last - 1
	}
	if at < 0 {
		return nil, false
	}
	version := maps.Clone(s.versions[at])
	version["VersionStages"] = []string{"AWSCURRENT"}
	return version, true
}

// ServeHTTP implements [http.Handler].
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(code, message string) {
		w.Header().Set("X-Amzn-RequestId", "0")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "Message": message})
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	var req struct{ SecretID, VersionID, VersionStage string }
	authorization := r.Header.Get("Authorization")
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue":
		refuse("UnknownOperationException", "")
		return
	case !strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential=AKID/") || !strings.Contains(authorization, "/"+region+"/secretsmanager/aws4_request"):
		refuse("MissingAuthenticationTokenException", "Missing Authentication Token "+secrettest.Canary)
		return
	case json.NewDecoder(r.Body).Decode(&req) != nil:
		refuse("SerializationException", secrettest.Canary)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.secrets[req.SecretID]
	version, found := s.find(req.VersionID, req.VersionStage)
	switch {
	case !ok:
		refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	case s.deleted:
		refuse("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
	case !found:
		refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: "+req.VersionID+secrettest.Canary)
	default:
		_ = json.NewEncoder(w).Encode(version)
	}
}
