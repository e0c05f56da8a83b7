package load

// This file is the JSON that the fast parser knows: strict, and less than all of it.

func (g *fastParser) space() {
	for g.i < len(g.p) && g.p[g.i] <= ' ' {
		switch g.p[g.i] {
		case ' ', '\t', '\n', '\r':
			g.i++
		default:
			return
		}
	}
}

// take passes over white space and one byte, if it is c.
func (g *fastParser) take(c byte) bool {
	g.space()
	if g.i < len(g.p) && g.p[g.i] == c {
		g.i++
		return true
	}
	return false
}

// object calls field with each key, to read its value. The key is good until then.
func (g *fastParser) object(field func(key []byte) bool) bool {
	if !g.take('{') {
		return false
	}
	if g.take('}') {
		return true
	}
	for {
		key, ok := g.text()
		if !ok || !g.take(':') || !field(key) {
			return false
		}
		if g.take(',') {
			continue
		}
		return g.take('}')
	}
}

// list calls item to read each of its values; null is an empty list.
func (g *fastParser) list(item func() bool) bool {
	if g.null() {
		return true
	}
	if !g.take('[') {
		return false
	}
	if g.take(']') {
		return true
	}
	for {
		if !item() {
			return false
		}
		if g.take(',') {
			continue
		}
		return g.take(']')
	}
}

func (g *fastParser) word(w string) bool {
	g.space()
	if len(g.p)-g.i < len(w) || string(g.p[g.i:g.i+len(w)]) != w {
		return false
	}
	g.i += len(w)
	return true
}

func (g *fastParser) null() bool { return g.word("null") }

// text is a string without escapes.
func (g *fastParser) text() ([]byte, bool) {
	if !g.take('"') {
		return nil, false
	}
	for from := g.i; g.i < len(g.p); g.i++ {
		switch c := g.p[g.i]; {
		case c == '"':
			g.i++
			return g.p[from : g.i-1], true
		case c == '\\' || c < 0x20:
			return nil, false
		}
	}
	return nil, false
}

// quoted passes over a string, with those escapes that cannot be wrong.
func (g *fastParser) quoted() bool {
	if !g.take('"') {
		return false
	}
	for ; g.i < len(g.p); g.i++ {
		switch c := g.p[g.i]; {
		case c == '"':
			g.i++
			return true
		case c < 0x20:
			return false
		case c == '\\':
			if g.i++; g.i >= len(g.p) || !g.escape() {
				return false
			}
		}
	}
	return false
}

// escape looks at what follows a backslash, and ends on its last byte.
func (g *fastParser) escape() bool {
	switch g.p[g.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			if g.i++; g.i >= len(g.p) || !hexadecimal(g.p[g.i]) {
				return false
			}
		}
		return true
	}
	return false
}

func hexadecimal(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// count is a whole number of at most 15 digits.
func (g *fastParser) count() (n int, ok bool) {
	g.space()
	from := g.i
	for g.i < len(g.p) && g.p[g.i] >= '0' && g.p[g.i] <= '9' {
		n = n*10 + int(g.p[g.i]-'0')
		if g.i++; g.i-from > 15 {
			return 0, false
		}
	}
	digits := g.i - from
	if digits == 0 || digits > 1 && g.p[from] == '0' {
		return 0, false
	}
	return n, g.i == len(g.p) || g.p[g.i] != '.' && g.p[g.i] != 'e' && g.p[g.i] != 'E'
}

// fastDepth bounds how deep skip looks.
const fastDepth = 16

// skip passes over any value that it is sure to be one.
func (g *fastParser) skip(depth int) bool {
	if g.space(); depth > fastDepth || g.i >= len(g.p) {
		return false
	}
	switch c := g.p[g.i]; c {
	case '{':
		return g.object(func([]byte) bool { return g.skip(depth + 1) })
	case '[':
		return g.list(func() bool { return g.skip(depth + 1) })
	case '"':
		return g.quoted()
	case 't':
		return g.word("true")
	case 'f':
		return g.word("false")
	case 'n':
		return g.null()
	case '-':
		g.i++
	}
	return g.decimal()
}

// decimal passes over a number without its sign.
func (g *fastParser) decimal() bool {
	digits := func() bool {
		from := g.i
		for g.i < len(g.p) && g.p[g.i] >= '0' && g.p[g.i] <= '9' {
			g.i++
		}
		return g.i > from
	}
	from := g.i
	if !digits() || g.p[from] == '0' && g.i-from > 1 {
		return false
	}
	if g.i < len(g.p) && g.p[g.i] == '.' {
		if g.i++; !digits() {
			return false
		}
	}
	if g.i < len(g.p) && (g.p[g.i] == 'e' || g.p[g.i] == 'E') {
		if g.i++; g.i < len(g.p) && (g.p[g.i] == '+' || g.p[g.i] == '-') {
			g.i++
		}
		return digits()
	}
	return true
}
