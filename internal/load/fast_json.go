package load

// cursor is a place in an event. It reads the JSON that the fast parser knows: strict, and
// less than all of it.
type cursor struct {
	p []byte
	i int
}

func (c *cursor) space() {
	for c.i < len(c.p) && c.p[c.i] <= ' ' {
		switch c.p[c.i] {
		case ' ', '\t', '\n', '\r':
			c.i++
		default:
			return
		}
	}
}

// take passes over white space and one byte, if it is b.
func (c *cursor) take(b byte) bool {
	c.space()
	if c.i < len(c.p) && c.p[c.i] == b {
		c.i++
		return true
	}
	return false
}

// object calls field with each key, to read its value. The key is good until then.
func (c *cursor) object(field func(key []byte) bool) bool {
	if !c.take('{') {
		return false
	}
	if c.take('}') {
		return true
	}
	for {
		key, ok := c.text()
		if !ok || !c.take(':') || !field(key) {
			return false
		}
		if c.take(',') {
			continue
		}
		return c.take('}')
	}
}

// list calls item to read each of its values; null is an empty list.
func (c *cursor) list(item func() bool) bool {
	if c.null() {
		return true
	}
	if !c.take('[') {
		return false
	}
	if c.take(']') {
		return true
	}
	for {
		if !item() {
			return false
		}
		if c.take(',') {
			continue
		}
		return c.take(']')
	}
}

func (c *cursor) word(w string) bool {
	c.space()
	if len(c.p)-c.i < len(w) || string(c.p[c.i:c.i+len(w)]) != w {
		return false
	}
	c.i += len(w)
	return true
}

func (c *cursor) null() bool { return c.word("null") }

// text is a string without escapes.
func (c *cursor) text() ([]byte, bool) {
	if !c.take('"') {
		return nil, false
	}
	for from := c.i; c.i < len(c.p); c.i++ {
		switch b := c.p[c.i]; {
		case b == '"':
			c.i++
			return c.p[from : c.i-1], true
		case b == '\\' || b < 0x20:
			return nil, false
		}
	}
	return nil, false
}

// quoted passes over a string, with those escapes that cannot be wrong.
func (c *cursor) quoted() bool {
	if !c.take('"') {
		return false
	}
	for ; c.i < len(c.p); c.i++ {
		switch b := c.p[c.i]; {
		case b == '"':
			c.i++
			return true
		case b < 0x20:
			return false
		case b == '\\':
			if c.i++; c.i >= len(c.p) || !c.escape() {
				return false
			}
		}
	}
	return false
}

// escape looks at what follows a backslash, and ends on its last byte.
func (c *cursor) escape() bool {
	switch c.p[c.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			if c.i++; c.i >= len(c.p) || !hexadecimal(c.p[c.i]) {
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
func (c *cursor) count() (n int, ok bool) {
	c.space()
	from := c.i
	for c.i < len(c.p) && c.p[c.i] >= '0' && c.p[c.i] <= '9' {
		n = n*10 + int(c.p[c.i]-'0')
		if c.i++; c.i-from > 15 {
			return 0, false
		}
	}
	digits := c.i - from
	if digits == 0 || digits > 1 && c.p[from] == '0' {
		return 0, false
	}
	return n, c.i == len(c.p) || c.p[c.i] != '.' && c.p[c.i] != 'e' && c.p[c.i] != 'E'
}

// number reads a count, or null, which leaves what was there.
func (c *cursor) number(into *count) bool {
	if c.null() {
		return true
	}
	n, ok := c.count()
	*into = count(n)
	return ok
}

// fastDepth bounds how deep skip looks.
const fastDepth = 16

// skip passes over any value that it is sure to be one.
func (c *cursor) skip(depth int) bool {
	if c.space(); depth > fastDepth || c.i >= len(c.p) {
		return false
	}
	switch c.p[c.i] {
	case '{':
		return c.object(func([]byte) bool { return c.skip(depth + 1) })
	case '[':
		return c.list(func() bool { return c.skip(depth + 1) })
	case '"':
		return c.quoted()
	case 't':
		return c.word("true")
	case 'f':
		return c.word("false")
	case 'n':
		return c.null()
	case '-':
		c.i++
	}
	return c.decimal()
}

// decimal passes over a number without its sign.
func (c *cursor) decimal() bool {
	digits := func() bool {
		from := c.i
		for c.i < len(c.p) && c.p[c.i] >= '0' && c.p[c.i] <= '9' {
			c.i++
		}
		return c.i > from
	}
	from := c.i
	if !digits() || c.p[from] == '0' && c.i-from > 1 {
		return false
	}
	if c.i < len(c.p) && c.p[c.i] == '.' {
		if c.i++; !digits() {
			return false
		}
	}
	if c.i < len(c.p) && (c.p[c.i] == 'e' || c.p[c.i] == 'E') {
		if c.i++; c.i < len(c.p) && (c.p[c.i] == '+' || c.p[c.i] == '-') {
			c.i++
		}
		return digits()
	}
	return true
}
