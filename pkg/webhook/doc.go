// Package webhook signs webhooks and verifies them: for receivers, and for the sender that serves them.
//
// A webhook carries signatures of up to three forms, so that a receiver may check whichever it knows:
//
//   - Standard Webhooks 1.0.0: the headers webhook-id, webhook-timestamp and webhook-signature. The last is a list, each of
//     its signatures made over "<id>.<timestamp>.<body>" and written in base64: "v1,…" is HMAC-SHA256 with a secret that both
//     sides know, "v1a,…" is ed25519. [Webhook.Verify] checks both, and so do the libraries of standardwebhooks.com.
//   - The older header X-Webhook-Signature: "sha256=" and the hex of HMAC-SHA256 over the body alone.
//     [Webhook.VerifyBody] checks it. It covers neither id nor time, so whoever recorded such a request can send it
//     again for ever: use it only where the first form cannot be had.
//
// # Keys
//
// A key is text. What it starts with says what it is:
//
//	whsec_…  a shared secret of Standard Webhooks: standard base64, which decodes to the key of v1
//	whsk_…   an ed25519 private key: base64 of its seed, or of the seed and the public key; it signs, and verifies
//	whpk_…   an ed25519 public key: base64 of 32 bytes; it verifies only
//	other    a shared secret that is its own key, byte for byte
//
// (The reference libraries decode *every* shared secret as base64; [StandardSecret] gives the form that makes them agree
// with this package.) The key of X-Webhook-Signature is always the text of the secret, prefix included, because that is what
// its receivers compute with.
//
// While one key replaces another, both are given to [New] or [Signatures]: a webhook is signed with all of them, and a
// receiver accepts a signature of any. Signatures of versions that it does not know it skips.
//
// # Receiving
//
// [Webhook.Handler] stands before the handler of a receiver, and lets through what is signed, each webhook once.
//
// Without it, know that the id is the same on every attempt of one webhook, so it is the key to drop duplicates by. Answer
// 2xx as soon as the webhook is stored; anything else brings it back later.
package webhook
