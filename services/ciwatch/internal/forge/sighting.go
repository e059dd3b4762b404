package forge

import "time"

// Sighting is what a webhook, a poll or a person tells the replica that watches a repository. It is stored in the stream SIGHTINGS as JSON
// until that replica has taken it in. One of Run, Job and Command is there.
type Sighting struct {
	// Forge is the forge's name in the configuration, Repository "owner/name".
	Forge      string `json:"forge"`
	Repository string `json:"repository"`
	// DefaultBranch is the repository's, if it was told.
	DefaultBranch string `json:"default_branch,omitempty"`
	// Run is a completed attempt.
	Run *Run `json:"run,omitempty"`
	// Job is a completed job.
	Job *Job `json:"job,omitempty"`
	// Poke says that something has happened, and no more: the repository is to be asked.
	Poke bool `json:"poke,omitempty"`
	// Command is what a person wants.
	Command *Command `json:"command,omitempty"`
	// At is when it was told.
	At time.Time `json:"at"`
}

// Command is what a person wants of the replica that watches a repository.
type Command struct {
	// ID names it in what comes of it.
	ID string `json:"id"`
	// Recover, when it is there, is the KV key of the workflow that is to be recovered; without it the repository is to be asked now.
	Recover string `json:"recover,omitempty"`
	// Before is when nobody waits for it any more.
	Before time.Time `json:"before"`
}
