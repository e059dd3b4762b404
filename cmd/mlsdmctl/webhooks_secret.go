package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
)

// secretFlags say where generated secrets go.
type secretFlags struct {
	SecretFile string `placeholder:"FILE" help:"Write generated secrets to this new file, which only you may read, instead of to the standard output."`
}

// toldSecret is one generated secret as it is printed.
type toldSecret struct {
	Endpoint string `json:"endpoint"`
	KeyID    string `json:"key_id"`
	Secret   string `json:"secret"`
}

// secretSink takes generated secrets: they are told once, so each is written the moment it is known.
type secretSink struct {
	name  string
	file  *os.File // nil without --secret-file
	taken int
}

// open makes the file before anything is asked for: a secret that has nowhere to go is lost.
func (f secretFlags) open() (*secretSink, error) {
	if f.SecretFile == "" {
		return &secretSink{}, nil
	}
	file, err := os.OpenFile(f.SecretFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("--secret-file: %s is there already, and is not overwritten", f.SecretFile)
	}
	if err != nil {
		return nil, fmt.Errorf("--secret-file: %w", err)
	}
	return &secretSink{name: f.SecretFile, file: file}, nil
}

// take writes secrets to the file, and returns those that are to be printed.
func (s *secretSink) take(endpoint string, secrets []client.EndpointSecret) ([]toldSecret, error) {
	var told []toldSecret
	for _, secret := range secrets {
		s.taken++
		if s.file == nil {
			told = append(told, toldSecret{Endpoint: endpoint, KeyID: secret.KeyID, Secret: secret.Secret.Reveal()})
			continue
		}
		if _, err := fmt.Fprintf(s.file, "%s %s %s\n", endpoint, secret.KeyID, secret.Secret.Reveal()); err != nil {
			return nil, fmt.Errorf("the secret of endpoint %s could not be written; rotate it: %w", endpoint, err)
		}
	}
	return told, nil
}

// print prints secrets, and says what they are where the output is not read by a program.
func (s *secretSink) print(t terminal, told []toldSecret) error {
	for _, secret := range told {
		if _, err := fmt.Fprintf(t.out, "secret %s %s %s\n", printable(secret.Endpoint), printable(secret.KeyID), printable(secret.Secret)); err != nil {
			return err
		}
	}
	return nil
}

// close ends the file, removes it when nothing was written, and says what to do with what was.
func (s *secretSink) close(t terminal) error {
	if s.taken > 0 && s.file == nil {
		fmt.Fprintln(t.err, "mlsdmctl: generated secrets are shown this once; give them to the receivers and keep them nowhere else")
	}
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.taken == 0 {
		return errors.Join(err, os.Remove(s.name))
	}
	fmt.Fprintf(t.err, "mlsdmctl: %d generated secrets are in %s, a line each: endpoint, key, secret; they are not told again\n", s.taken, s.name)
	return err
}
