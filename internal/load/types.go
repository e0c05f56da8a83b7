package load

import (
	"context"
	"time"
)

// Request is one unit of work, complete before the window opens.
type Request struct {
	ID     int
	Prompt string // text; what Tokens read, where both are there
	Tokens []int  // token ids; preferred by engines that take them
	// InputTokens is the prompt's length in tokens where it is known by
	// construction, else 0.
	InputTokens     int
	MaxOutputTokens int
	Hash            string // first 16 hex digits of SHA-256 over what is sent of the prompt

	body []byte // as the client sends it; nil: it was not encoded yet
}

// Status of a request when it ended.
const (
	StatusOK      = "ok"
	StatusFailed  = "failed"  // refused, broken off, given up by the server or malformed
	StatusTimeout = "timeout" // request_timeout_seconds passed
	StatusCut     = "cut"     // the run was interrupted
)

// Unknown is a count that is not known, where 0 may be one.
const Unknown = -1

// Timing is what happened to one request. Stamps are durations since the
// window's t0 on the monotonic clock: of bytes, when this host's kernel received
// them, or where it does not say, when they were read and before they are parsed,
// in steps of 64 ns. A negative stamp means that it never happened.
type Timing struct {
	ID           int
	Scheduled    time.Duration
	Sent         time.Duration // actual send, headers and body handed to the kernel
	FirstByte    time.Duration
	FirstToken   time.Duration // first chunk with a non-empty token
	LastToken    time.Duration
	End          time.Duration // last byte of the response, [DONE] included
	InputTokens  int           // by the server's usage; 0: unknown
	InputSource  string        // what counted them, where that is not the server
	CachedTokens *int          // of InputTokens, found in the server's prefix cache; nil: it does not say
	OutputTokens int           // by the server's usage; 0: unknown
	Reasoning    int           // part of OutputTokens that the server calls reasoning; Unknown
	Refused      string        // why counts of the server's usage were not taken; empty: they were, or there were none
	UsageSource  string        // of OutputTokens: server; chunks or none: unknown, and chunks with text came or did not
	Chunks       []Chunk       // token-carrying chunks in order of arrival
	HTTPStatus   int           // 0: no response
	Status       string        // StatusOK, …
	Error        string        // empty when ok
	FinishReason string
	Model        string // that the answer names, where it is not the one that was asked for
	PromptHash   string
	Text         []byte // only when responses are kept
}

// Client speaks one server's dialect. Generate fills tr, stamps it against
// clock t0, and returns an error only for what tr.Error also says.
type Client interface {
	Generate(ctx context.Context, t0 time.Time, r Request, tr *Timing) error
}

// Pattern says when requests are sent.
type Pattern interface {
	// At gives the offset of request n from t0; ok is false in a closed loop,
	// where a request is due as soon as a place is free.
	At(n int) (offset time.Duration, ok bool)
	// InFlight is the most requests at once; 0 means no limit.
	InFlight() int
}
