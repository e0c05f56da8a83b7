package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Types of Thrift's compact protocol.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// deepest is how many structs and lists may lie within each other. The metadata of
// Parquet needs seven.
const deepest = 24

// errShort says that the bytes end within a value. A page's header, whose length is
// not known before it is read, is then tried again with more of them.
var errShort = errors.New("it ends within a value")

// cursor reads Thrift's compact protocol, and no byte twice.
type cursor struct {
	data []byte
	at   int
	deep int
}

func (c *cursor) left() int { return len(c.data) - c.at }

func (c *cursor) byte() (byte, error) {
	if c.left() < 1 {
		return 0, errShort
	}
	c.at++
	return c.data[c.at-1], nil
}

func (c *cursor) varint() (uint64, error) {
	v, n := binary.Uvarint(c.data[c.at:])
	if n < 0 {
		return 0, errors.New("a number has too many digits")
	}
	if n == 0 {
		return 0, errShort
	}
	c.at += n
	return v, nil
}

// number is a signed integer of any width.
func (c *cursor) number() (int64, error) {
	v, err := c.varint()
	return int64(v>>1) ^ -int64(v&1), err
}

// structure calls field for each field of a struct, which reads its value.
func (c *cursor) structure(field func(id int64, kind byte) error) error {
	if c.deep++; c.deep > deepest {
		return errors.New("it is nested too deeply")
	}
	defer func() { c.deep-- }()
	for id := int64(0); ; {
		head, err := c.byte()
		if err != nil || head == thriftStop {
			return err
		}
		if delta := int64(head >> 4); delta > 0 {
			id += delta
		} else if id, err = c.number(); err != nil {
			return err
		}
		if err := field(id, head&0xf); err != nil {
			return err
		}
	}
}

// list reads the head of a list. Each element takes a byte at least.
func (c *cursor) list() (n int, kind byte, err error) {
	head, err := c.byte()
	if err != nil {
		return 0, 0, err
	}
	size := uint64(head >> 4)
	if size == 15 {
		if size, err = c.varint(); err != nil {
			return 0, 0, err
		}
	}
	if size > uint64(c.left()) {
		return 0, 0, fmt.Errorf("a list of %d elements in %d bytes: %w", size, c.left(), errShort)
	}
	return int(size), head & 0xf, nil
}

// structures calls each for every struct of a list.
func (c *cursor) structures(kind byte, each func() error) error {
	if kind != thriftList {
		return fmt.Errorf("a value is of type %d and not a list", kind)
	}
	n, of, err := c.list()
	if err == nil && of != thriftStruct && n > 0 {
		err = fmt.Errorf("a list is of type %d and not of structs", of)
	}
	for range n {
		if err != nil {
			return err
		}
		err = each()
	}
	return err
}

// whole reads an integer field.
func (c *cursor) whole(kind byte, to *int64) (err error) {
	if kind != thriftI16 && kind != thriftI32 && kind != thriftI64 {
		return fmt.Errorf("a value is of type %d and not a whole number", kind)
	}
	*to, err = c.number()
	return err
}

// skip passes over a field's value; a field's truth is in its head.
func (c *cursor) skip(kind byte) error {
	if kind == thriftTrue || kind == thriftFalse {
		return nil
	}
	return c.element(kind)
}

// element passes over a value.
func (c *cursor) element(kind byte) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return c.pass(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := c.varint()
		return err
	case thriftDouble:
		return c.pass(8)
	case thriftBinary:
		n, err := c.varint()
		if err != nil {
			return err
		}
		return c.pass(n)
	case thriftList, thriftSet:
		return c.elements()
	case thriftStruct:
		return c.structure(func(_ int64, kind byte) error { return c.skip(kind) })
	}
	return fmt.Errorf("type %d is not one of Parquet's metadata", kind) // there are no maps
}

func (c *cursor) elements() error {
	if c.deep++; c.deep > deepest {
		return errors.New("it is nested too deeply")
	}
	defer func() { c.deep-- }()
	n, of, err := c.list()
	for range n {
		if err != nil {
			return err
		}
		err = c.element(of)
	}
	return err
}

func (c *cursor) pass(n uint64) error {
	if n > uint64(c.left()) {
		return errShort
	}
	c.at += int(n)
	return nil
}
