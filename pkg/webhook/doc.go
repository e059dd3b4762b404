// Package webhook signs webhooks and verifies them: for receivers, and for the sender that serves them.
//
// A webhook carries two signatures, so that a receiver may check whichever it knows:
//
//   - Standard Webhooks 1.0.0, symmetric: the headers webhook-id, webhook-timestamp and webhook-signature. The
//     signature is "v1," and the base64 of HMAC-SHA256 over "<id>.<timestamp>.<body>". [Webhook.Verify] checks it, and
//     so does every library of standardwebhooks.com.
//   - The older header X-Webhook-Signature: "sha256=" and the hex of HMAC-SHA256 over the body alone.
//     [Webhook.VerifyBody] checks it. It covers neither id nor time, so whoever recorded such a request can send it
//     again for ever: use it only where the first form cannot be had.
//
// # Secrets
//
// A secret is text. One that starts with "whsec_" is in the form of Standard Webhooks: the rest is standard base64, and
// the key of v1 is what it decodes to. Any other text is its own key, byte for byte. (The reference libraries decode
// *every* secret as base64; [StandardSecret] gives the form that makes them agree with this package.) The key of
// X-Webhook-Signature is always the text itself, prefix included, because that is what its receivers compute with.
//
// # Receiving
//
// The id is the same on every attempt of one webhook, so it is the key to drop duplicates by. Answer 2xx as soon as the
// webhook is stored; anything else brings it back later.
package webhook
