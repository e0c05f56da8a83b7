package load

import (
	"bytes"
	"unicode/utf8"
)

// fastParser reads what a stream needs of one event without decoding all of it and
// without allocating. It takes only what it is sure of: of anything unusual it is
// false, and the full decoder has the word. A fuzz test holds both to the same
// answer.
type fastParser struct {
	in        cursor
	tokens    int
	reasoning int
	finish    string // empty: none in this event
	counts    usage
	cached    count
	hasUsage  bool
	hasCached bool
	answers   bool // it has a choice
	model     []byte

	said     int // strings of the model's that are not empty
	from, to int // where the last of them stands in the event, with its quotes
}

// read parses a chunk of a completion or of a chat.
func (g *fastParser) read(data []byte) bool {
	*g = fastParser{in: cursor{p: data}}
	var seen fields
	ok := g.in.object(func(key []byte) bool {
		switch string(key) {
		case "choices":
			return seen.first(0) && g.in.list(g.choice)
		case "usage":
			return seen.first(1) && (g.in.null() || g.usage())
		case "error":
			return seen.first(2) && g.in.null()
		case "model":
			return seen.first(3) && (g.in.null() || g.named())
		}
		return !alike(key, "choices", "usage", "error", "model") && g.in.skip(0)
	})
	g.in.space()
	return ok && g.in.i == len(g.in.p) && (g.answers || g.hasUsage) // else it may be an error of any shape
}

// fields are those that were seen: of a key that stands twice the last one counts,
// which is the full decoder's to judge.
type fields uint16

func (f *fields) first(n int) bool {
	bit := fields(1) << n
	again := *f&bit != 0
	*f |= bit
	return !again
}

// alike says that a key is one of the names, which begin with small letters, in
// other letters' case, which the full decoder takes for it; what has other bytes
// than ASCII may be too.
func alike(key []byte, names ...string) bool {
	var all byte
	for _, c := range key {
		all |= c
	}
	if all >= 0x80 {
		return true
	}
	for _, n := range names {
		if len(key) == len(n) && key[0]|0x20 == n[0] && bytes.EqualFold(key, []byte(n)) {
			return true
		}
	}
	return false
}

func (g *fastParser) choice() bool {
	g.answers = true
	var seen fields
	var text, content, thought bool
	ids := 0
	ok := g.in.object(func(key []byte) bool {
		switch string(key) {
		case "text":
			return seen.first(0) && g.says(&text)
		case "delta":
			return seen.first(1) && (g.in.null() || g.delta(&content, &thought))
		case "token_ids":
			return seen.first(2) && (g.in.null() || g.in.list(func() bool { ids++; _, ok := g.in.count(); return ok }))
		case "finish_reason":
			return seen.first(3) && (g.in.null() || g.reason())
		case "error":
			return seen.first(4) && g.in.null()
		}
		return !alike(key, "text", "delta", "token_ids", "finish_reason", "error") && g.in.skip(0)
	})
	if said := text || content; said || thought {
		n := max(1, ids)
		g.tokens += n
		if !said {
			g.reasoning += n
		}
	}
	return ok
}

var deltaKeys = []string{"content", "reasoning_content", "reasoning", "tool_calls", "refusal", "thinking", "function_call"}

func (g *fastParser) delta(content, thought *bool) bool {
	var seen fields
	return g.in.object(func(key []byte) bool {
		switch string(key) {
		case "content":
			return seen.first(0) && g.says(content)
		case "reasoning_content":
			return seen.first(1) && g.says(thought)
		case "reasoning":
			return seen.first(2) && g.says(thought)
		case "tool_calls":
			return seen.first(3) && g.in.list(func() bool { return false }) // what a tool is called with is the full decoder's
		case "refusal":
			return seen.first(4) && g.says(content)
		case "thinking":
			return seen.first(5) && g.says(thought)
		case "function_call":
			return seen.first(6) && g.in.null()
		}
		return !alike(key, deltaKeys...) && g.in.skip(0)
	})
}

func (g *fastParser) usage() bool {
	g.hasUsage = true
	var seen fields
	return g.in.object(func(key []byte) bool {
		switch string(key) {
		case "prompt_tokens":
			return seen.first(0) && g.in.number(&g.counts.PromptTokens)
		case "completion_tokens":
			return seen.first(1) && g.in.number(&g.counts.CompletionTokens)
		case "total_tokens":
			return seen.first(4) && g.in.number(&g.counts.TotalTokens)
		case "completion_tokens_details":
			return seen.first(2) && (g.in.null() || g.detail("reasoning_tokens", &g.counts.Details.ReasoningTokens))
		case "prompt_tokens_details":
			return seen.first(3) && (g.in.null() || g.prompt())
		}
		return !alike(key, "prompt_tokens", "completion_tokens", "total_tokens", "completion_tokens_details", "prompt_tokens_details") && g.in.skip(0)
	})
}

func (g *fastParser) prompt() bool {
	g.hasCached = true
	return g.detail("cached_tokens", &g.cached)
}

func (g *fastParser) detail(name string, into *count) bool {
	var seen fields
	return g.in.object(func(key []byte) bool {
		if string(key) == name {
			return seen.first(0) && g.in.number(into)
		}
		return !alike(key, name) && g.in.skip(0)
	})
}

// reason takes the finish reason; those that servers use cost no allocation.
func (g *fastParser) reason() bool {
	text, ok := g.in.text()
	switch string(text) {
	case "length":
		g.finish = "length"
	case "stop":
		g.finish = "stop"
	case "":
	default:
		g.finish = string(text)
		return ok && utf8.Valid(text) // the full decoder mends what is not
	}
	return ok
}

// says reads a string or null and notes that it is not empty.
func (g *fastParser) says(something *bool) bool {
	if g.in.null() {
		return true
	}
	g.in.space()
	from := g.in.i
	ok := g.in.quoted()
	if ok && g.in.i-from > len(`""`) {
		*something = true
		g.said, g.from, g.to = g.said+1, from, g.in.i
	}
	return ok
}

// named takes the model's name; one with an escape is the full decoder's.
func (g *fastParser) named() (ok bool) {
	g.model, ok = g.in.text()
	return ok && utf8.Valid(g.model)
}
