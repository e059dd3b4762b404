// Package moral is the moral filter: it rejects prompts, and answers, whose score is below a threshold that adapts.
//
// A score is 0 (worst) to 1. Below [Config].Min it is always rejected, above Max always accepted, and between them by the
// threshold. The threshold follows the share of what is accepted, a moving mean: above Target by more than Band it rises by a Step,
// below by more than Band it falls by one, and never leaves the bounds. These are the rules of the MLSDM engine.
//
// The score of a prompt comes from the request, metadata.moral_value, or from a scorer: a moderation endpoint of OpenAI's protocol,
// or a service of the operator's. An answer is scored by a scorer only: whole, or in a stream window by window, each before it is
// released ([Window]). An answer is one decision, however many windows it has.
//
// # State
//
// All replicas share one state, in the KV bucket [events.BucketMoral], without a round trip for any request. A replica decides by what
// it knows, notes the outcome, and writes what it has noted every 200 ms, or after 64 decisions, by compare-and-swap: whoever loses
// folds its outcomes into the state of the winner. A watch brings what others wrote. So:
//
//   - The stored state is that of all outcomes in some order, in which those of one replica keep theirs, each counted once: a
//     write whose acknowledgement was lost is recognized by the number of its batch.
//   - While the bucket can be reached, a replica decides without the last outcomes of another for as long as that one waits to
//     write them (at most 200 ms or 64 decisions), writes them (a round trip, and one more for each write that it loses), and the
//     watch takes to bring them. Its own outcomes count at once.
//   - While it cannot be reached, each replica goes on alone, from the last state that it saw. It keeps its last 65,536 outcomes, to
//     be written when it can.
//   - A replica that is killed loses what it had not written, at most that of 200 ms or 64 decisions and of one write; one that is
//     told to stop writes it. A replica that starts goes on with the stored state ([Filter.Ready]).
package moral
