// Package load sends requests when they are due and stamps exactly what came back.
//
// In: a workload of the experiment file, prompts, and a [Client] of the server.
// Out: one [Timing] for each request, and [Figures] over them.
//
//  1. [New] lays down the schedule before the window, of as many requests as the
//     workload's numbers and seconds come to: a closed loop keeps a number of requests
//     in flight, an open one follows an absolute schedule ([Pattern]), in which a late
//     send is lag and never moves the next one.
//  2. [Synthetic] makes prompts of exact token length, each unlike every other from its
//     first tokens on, so that no prefix cache can help; [ReadPrompts] reads them from
//     files.
//  3. [Drive] sends complete [Request]s by the pattern, through a client such as
//     [OpenAI], which stamps bytes with the time at which the kernel received them.
//  4. [Settle] judges the server's counts of tokens once all requests have ended.
//  5. [Summarise], [Steady] and [Good] turn timings into figures. Tokens that failed
//     requests received count, as their energy does.
//
// Latencies are those of protocol section 8:
//
//	TTFT  actual send to the first chunk that carries a non-empty token
//	TPOT  (last token − first token) / (output tokens − 1), per request
//	ITL   gaps between chunks that carry tokens
//	E2E   actual send to the last token, neither usage chunk nor [DONE]
//	lag   actual send − scheduled send
package load
