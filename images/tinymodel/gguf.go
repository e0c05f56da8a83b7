package main

import (
	"bufio"
	"encoding/binary"
	"math"
	"os"
)

// GGUF's numbers for value and tensor types:
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
const (
	typeUint32  = 4
	typeInt32   = 5
	typeFloat32 = 6
	typeBool    = 7
	typeString  = 8
	typeArray   = 9

	tensorF32 = 0
	tensorF16 = 1

	fileMostlyF16 = 1
	alignment     = 32

	tokenNormal  = 1
	tokenControl = 3
)

// pair is one key and its value: uint32, float32, bool, string, []int32 or []string.
type pair struct {
	key   string
	value any
}

func (m *model) metadata() []pair {
	kinds := make([]int32, len(m.tokens))
	for i := range kinds {
		kinds[i] = tokenNormal
		if i < len(marks) {
			kinds[i] = tokenControl
		}
	}
	merges := make([]string, len(m.merges))
	for i, p := range m.merges {
		merges[i] = p[0] + " " + p[1]
	}
	return []pair{
		{"general.architecture", "llama"},
		{"general.name", "tinymodel"},
		{"general.file_type", uint32(fileMostlyF16)},
		{"llama.vocab_size", uint32(vocabularySize)},
		{"llama.context_length", uint32(m.context)},
		{"llama.embedding_length", uint32(width)},
		{"llama.block_count", uint32(layers)},
		{"llama.feed_forward_length", uint32(feed)},
		{"llama.attention.head_count", uint32(heads)},
		{"llama.attention.head_count_kv", uint32(kvHeads)},
		{"llama.attention.layer_norm_rms_epsilon", float32(normEps)},
		{"llama.rope.dimension_count", uint32(headWidth)},
		{"llama.rope.freq_base", float32(ropeBase)},
		{"tokenizer.ggml.model", "gpt2"},
		{"tokenizer.ggml.pre", "gpt-2"},
		{"tokenizer.ggml.tokens", m.tokens},
		{"tokenizer.ggml.token_type", kinds},
		{"tokenizer.ggml.merges", merges},
		{"tokenizer.ggml.bos_token_id", uint32(begin)},
		{"tokenizer.ggml.eos_token_id", uint32(end)},
		{"tokenizer.ggml.padding_token_id", uint32(pad)},
		{"tokenizer.ggml.add_bos_token", true},
		{"tokenizer.ggml.add_eos_token", false},
		{"tokenizer.chat_template", chatTemplate},
	}
}

func writeGGUF(path string, m *model) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := w.Write(m.gguf()); err != nil {
		return err
	}
	return w.Flush()
}

// gguf is the whole file: metadata, the tensors' descriptions, their numbers.
func (m *model) gguf() []byte {
	b := []byte("GGUF")
	le := binary.LittleEndian
	metadata := m.metadata()
	b = le.AppendUint32(b, 3)
	b = le.AppendUint64(b, uint64(len(m.tensors)))
	b = le.AppendUint64(b, uint64(len(metadata)))
	for _, p := range metadata {
		b = appendValue(appendString(b, p.key), p.value)
	}
	var data []byte
	for _, t := range m.tensors {
		b = appendString(b, t.gguf)
		if t.norm {
			b = le.AppendUint32(b, 1)
			b = le.AppendUint64(b, uint64(t.cols))
			b = le.AppendUint32(b, tensorF32)
		} else {
			b = le.AppendUint32(b, 2)
			b = le.AppendUint64(b, uint64(t.cols))
			b = le.AppendUint64(b, uint64(t.rows))
			b = le.AppendUint32(b, tensorF16)
		}
		b = le.AppendUint64(b, uint64(len(data)))
		data = align(t.appendGGUF(data))
	}
	return append(align(b), data...)
}

func align(b []byte) []byte {
	return append(b, make([]byte, (alignment-len(b)%alignment)%alignment)...)
}

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

func appendValue(b []byte, value any) []byte {
	le := binary.LittleEndian
	kind := func(k uint32) { b = le.AppendUint32(b, k) }
	switch v := value.(type) {
	case uint32:
		kind(typeUint32)
		b = le.AppendUint32(b, v)
	case float32:
		kind(typeFloat32)
		b = le.AppendUint32(b, math.Float32bits(v))
	case bool:
		kind(typeBool)
		if v {
			return append(b, 1)
		}
		return append(b, 0)
	case string:
		kind(typeString)
		b = appendString(b, v)
	case []int32:
		kind(typeArray)
		kind(typeInt32)
		b = le.AppendUint64(b, uint64(len(v)))
		for _, n := range v {
			b = le.AppendUint32(b, uint32(n))
		}
	case []string:
		kind(typeArray)
		kind(typeString)
		b = le.AppendUint64(b, uint64(len(v)))
		for _, s := range v {
			b = appendString(b, s)
		}
	}
	return b
}

// appendGGUF adds the numbers, norms as float32 and matrices as float16. A
// query or key matrix has the two halves of each head's rows interleaved, for
// llama.cpp rotates neighbours where Hugging Face rotates halves.
func (t tensor) appendGGUF(b []byte) []byte {
	le := binary.LittleEndian
	for row := range t.rows {
		from := row
		if t.heads > 0 {
			per := t.rows / t.heads
			at := row % per
			from = row - at + at/2 + at%2*per/2
		}
		for _, x := range t.data[from*t.cols : (from+1)*t.cols] {
			if t.norm {
				b = le.AppendUint32(b, math.Float32bits(x))
			} else {
				b = le.AppendUint16(b, float16(x))
			}
		}
	}
	return b
}

// float16 is the IEEE half of a number that has one: at most 65504, no smaller
// than 2^-14 but for zero, and ten bits after the first.
func float16(x float32) uint16 {
	bits := math.Float32bits(x)
	if bits<<1 == 0 {
		return uint16(bits >> 16)
	}
	return uint16(bits>>16&0x8000) | uint16((bits>>13&0x3ffff)-(127-15)<<10)
}
