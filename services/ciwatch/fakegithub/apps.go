package fakegithub

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Installation is an app in an account.
type Installation struct {
	AppID int64
	ID    int64
	// Key is the public half of the app's key.
	Key *rsa.PublicKey
	// Scopes are the owners or repositories, as owner/name, that it sees; all without any.
	Scopes []string
}

// installed is an installation with its limits.
type installed struct {
	Installation

	account *account
}

// AddInstallation has an app get tokens, each good for an hour.
func (s *Server) AddInstallation(installation Installation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.apps[installation.ID] = &installed{installation, s.newAccount(s.limit(), installation.Scopes)}
}

// InstallationTokens returns how many tokens were given to apps.
func (s *Server) InstallationTokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens
}

// RevokeInstallationTokens has all tokens of apps refused. New ones are given.
func (s *Server) RevokeInstallationTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for text, grant := range s.grants {
		if !grant.expires.IsZero() {
			delete(s.grants, text)
		}
	}
}

// installationToken gives a token to an app that proves itself.
func (s *Server) installationToken(w http.ResponseWriter, r *http.Request, id string) {
	number, err := strconv.ParseInt(id, 10, 64)
	app := s.apps[number]
	if err != nil || app == nil {
		refuse(w, http.StatusNotFound, "Integration not found")
		return
	}
	if why := s.checkJWT(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), app); why != "" {
		refuse(w, http.StatusUnauthorized, why)
		return
	}
	s.tokens++
	sum := sha256.Sum256([]byte("installation " + id + " token " + strconv.Itoa(s.tokens)))
	text, expires := "ghs_"+hex.EncodeToString(sum[:18]), s.now().Add(time.Hour)
	s.grants[text] = &grant{to: app.account, expires: expires}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"token":%q,"expires_at":%q,"permissions":{"actions":"write"}}`, text, expires.Format(time.RFC3339))
}

// checkJWT says what is wrong with an app's proof, in GitHub's words; nothing if it is good.
func (s *Server) checkJWT(text string, app *installed) string {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return "A JSON web token could not be decoded"
	}
	var decoded [3][]byte
	for i, part := range parts {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return "A JSON web token could not be decoded"
		}
		decoded[i] = raw
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(app.Key, crypto.SHA256, digest[:], decoded[2]) != nil {
		return "A JSON web token could not be decoded"
	}
	var claims struct {
		Issuer  string `json:"iss"`
		Expires int64  `json:"exp"`
	}
	now := s.opts.Now()
	switch err := json.Unmarshal(decoded[1], &claims); {
	case err != nil || claims.Issuer != strconv.FormatInt(app.AppID, 10):
		return "'Issuer' claim ('iss') must be an Integer"
	case now.Unix() >= claims.Expires:
		return "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
	case time.Unix(claims.Expires, 0).Sub(now) > 10*time.Minute:
		return "'Expiration time' claim ('exp') is too far in the future"
	}
	return ""
}
