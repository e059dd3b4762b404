package fakegitlab

import "cmp"

// MergeRequest is what varies of a merge request.
type MergeRequest struct {
	// IID is its number in the project.
	IID int64
	// SourceBranch is the branch that it comes from, SourceProjectID the project; 0 is the project that it is for.
	SourceBranch    string
	SourceProjectID int64
}

// mergeRequestKey names a merge request.
type mergeRequestKey struct{ project, iid int64 }

// AddMergeRequest adds a merge request to a project.
func (s *Server) AddMergeRequest(path string, mr MergeRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requestsOf[mergeRequestKey{s.project(path).id, mr.IID}] = mr
}

// mergeRequestObject returns a merge request as GitLab writes it, in answers and webhooks.
func mergeRequestObject(p *project, mr MergeRequest) map[string]any {
	return map[string]any{
		"id": 900 + mr.IID, "iid": mr.IID, "title": "A change", "state": "opened", "target_branch": "main", "target_project_id": p.id,
		"source_branch": mr.SourceBranch, "source_project_id": cmp.Or(mr.SourceProjectID, p.id),
	}
}
