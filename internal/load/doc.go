// Package load sends requests when they are due and stamps exactly what came
// back.
//
// [Drive] runs a list of complete [Request]s by a [Pattern]: a closed loop
// keeps a number of requests in flight, an open one follows an absolute
// schedule, in which a late send is lag and never moves the next one. [New] lays
// that schedule down before the window, of as many requests as the workload's
// numbers and seconds come to. Every request becomes a [Trace]. [OpenAI] is the
// streaming client of the completions and chat APIs; it stamps bytes with the time
// at which the kernel received them, of which protocol section 8 makes:
//
//	TTFT  actual send to the first chunk that carries a non-empty token
//	TPOT  (last token − first token) / (output tokens − 1), per request
//	ITL   gaps between chunks that carry tokens
//	E2E   actual send to the last token, neither usage chunk nor [DONE]
//	lag   actual send − scheduled send
//
// [Synthetic] makes prompts of exact token length, each unlike every other
// from its first tokens on, so that no prefix cache can help. [ReadJSONL]
// reads them from a file. [Summarise] and [Steady] turn traces into figures.
//
// Tokens received from requests that failed count, as their energy does.
package load
