package table

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Types of Thrift's compact protocol.
const (
	typeTrue   = 1
	typeFalse  = 2
	typeByte   = 3
	typeI16    = 4
	typeI32    = 5
	typeI64    = 6
	typeDouble = 7
	typeBinary = 8
	typeList   = 9
	typeSet    = 10
	typeMap    = 11
	typeStruct = 12
	typeUUID   = 13
)

const (
	// maxElements bounds the elements of all lists of one structure: what reads them
	// takes memory for each.
	maxElements = 4 << 20
	maxNesting  = 32
)

// errShort is what bytes that end too early are.
var errShort = errors.New("it ends too early")

// compact reads Thrift's compact protocol. The first error stays, and ends every loop.
type compact struct {
	b        []byte
	i        int
	elements int
	err      error
}

func (c *compact) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.i = len(c.b)
}

func (c *compact) byte() byte {
	if c.i >= len(c.b) {
		c.fail(errShort)
		return 0
	}
	c.i++
	return c.b[c.i-1]
}

func (c *compact) uvarint() uint64 {
	v, n := binary.Uvarint(c.b[c.i:])
	switch {
	case n == 0:
		c.fail(errShort)
	case n < 0:
		c.fail(errors.New("a number is too long"))
	default:
		c.i += n
	}
	return v
}

// number is an integer of any width.
func (c *compact) number() int64 {
	v := c.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (c *compact) bytes() []byte {
	n := c.uvarint()
	if n > uint64(len(c.b)-c.i) {
		c.fail(errShort)
		return nil
	}
	c.i += int(n)
	return c.b[c.i-int(n) : c.i]
}

// fields goes through a structure. take reads a field's value, or is false for one
// that it does not know.
func (c *compact) fields(take func(id int16, kind byte) bool) { c.nested(0, take) }

func (c *compact) nested(depth int, take func(id int16, kind byte) bool) {
	id := int16(0)
	for c.err == nil {
		head := c.byte()
		if head == 0 {
			return
		}
		if step := head >> 4; step > 0 {
			id += int16(step)
		} else {
			id = int16(c.number())
		}
		if kind := head & 15; !take(id, kind) {
			c.skip(kind, depth+1)
		}
	}
}

// list is the head of a list: how many elements follow, and of which type.
func (c *compact) list() (n int, kind byte) {
	head := c.byte()
	count := uint64(head >> 4)
	if count == 15 {
		count = c.uvarint()
	}
	left := len(c.b) - c.i
	switch {
	case c.err != nil:
		return 0, 0
	case count > uint64(left): // each takes a byte at least
		c.fail(fmt.Errorf("a list of %d elements in %d bytes", count, left))
		return 0, 0
	case c.elements+int(count) > maxElements:
		c.fail(fmt.Errorf("its lists have over %d elements", maxElements))
		return 0, 0
	}
	c.elements += int(count)
	return int(count), head & 15
}

// structs goes through a list of structures.
func (c *compact) structs(kind byte, take func()) bool {
	if kind != typeList {
		return false
	}
	n, of := c.list()
	for range n {
		switch {
		case c.err != nil:
			return true
		case of == typeStruct:
			take()
		default:
			c.element(of, 1)
		}
	}
	return true
}

// skip passes over a field's value.
func (c *compact) skip(kind byte, depth int) {
	if depth > maxNesting {
		c.fail(errors.New("it is nested too deep"))
	}
	if c.err != nil {
		return
	}
	switch kind {
	case typeTrue, typeFalse: // the type is the value
	case typeByte:
		c.byte()
	case typeI16, typeI32, typeI64:
		c.uvarint()
	case typeDouble:
		c.pass(8)
	case typeUUID:
		c.pass(16)
	case typeBinary:
		c.bytes()
	case typeList, typeSet:
		n, of := c.list()
		for i := 0; i < n && c.err == nil; i++ {
			c.element(of, depth)
		}
	case typeMap:
		c.skipMap(depth)
	case typeStruct:
		c.nested(depth, func(int16, byte) bool { return false })
	default:
		c.fail(fmt.Errorf("a field of the unknown type %d", kind))
	}
}

func (c *compact) pass(n int) {
	if n > len(c.b)-c.i {
		c.fail(errShort)
		return
	}
	c.i += n
}

// element passes over one of a list, where a truth value is a byte.
func (c *compact) element(kind byte, depth int) {
	if kind == typeTrue || kind == typeFalse {
		c.byte()
		return
	}
	c.skip(kind, depth+1)
}

func (c *compact) skipMap(depth int) {
	n := c.uvarint()
	if n == 0 || c.err != nil {
		return
	}
	if n > uint64(len(c.b)-c.i) {
		c.fail(errShort)
		return
	}
	kinds := c.byte()
	for i := uint64(0); i < n && c.err == nil; i++ {
		c.element(kinds>>4, depth)
		c.element(kinds&15, depth)
	}
}
