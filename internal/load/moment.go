package load

import "time"

// Chunk is one piece of the stream that carried tokens, in 8 bytes: when, in
// steps of 64 ns, and how many.
type Chunk uint64

const (
	tokenBits = 21 // 2 097 151 tokens
	stepBits  = 6  // 64 ns: 43 bits of them are six days

	mostTokens = 1<<tokenBits - 1
	mostSteps  = 1<<(64-tokenBits) - 1
)

// NewChunk is tokens that came at a time since t0; both are held to what a chunk
// can say.
func NewChunk(at time.Duration, tokens int) Chunk {
	return Chunk(min(uint64(max(0, at))>>stepBits, mostSteps))<<tokenBits | Chunk(min(max(0, tokens), mostTokens))
}

// At is when it came, since t0.
func (c Chunk) At() time.Duration { return time.Duration(c>>tokenBits) << stepBits }

// Tokens is how many it carried, at least 1.
func (c Chunk) Tokens() int { return int(c & mostTokens) }
