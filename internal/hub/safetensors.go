package hub

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// maxHeader bounds a safetensors header; the format's own limit.
const maxHeader = 100 << 20

var errPacked = errors.New("weights are packed")

// tensor is one entry of a safetensors header.
type tensor struct {
	DType string  `json:"dtype"`
	Shape []int64 `json:"shape"`
}

// readHeader reads the header of one safetensors file: 8 bytes of length,
// little-endian, then JSON.
func readHeader(r io.Reader, size int64) (map[string]tensor, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n > maxHeader || int64(n) > size-8 {
		return nil, fmt.Errorf("safetensors header: length %d does not fit a file of %d bytes", n, size)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	out := map[string]tensor{}
	for name, v := range raw {
		if name == "__metadata__" {
			continue
		}
		var t tensor
		if err := json.Unmarshal(v, &t); err != nil {
			return nil, fmt.Errorf("safetensors header: tensor %s: %w", name, err)
		}
		out[name] = t
	}
	return out, nil
}

func (t tensor) elements() (int64, error) {
	n := int64(1)
	for _, d := range t.Shape {
		if d < 0 || d > 1<<40 || n > 1<<50 {
			return 0, fmt.Errorf("safetensors header: shape %v is impossible", t.Shape)
		}
		n *= d
	}
	return n, nil
}

// opener opens a file of a model and tells its size.
type opener func(name string) (io.ReadCloser, int64, error)

// openIn opens files of a folder.
func openIn(dir string) opener {
	return func(name string) (io.ReadCloser, int64, error) {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return nil, 0, err
		}
		st, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, 0, err
		}
		return f, st.Size(), nil
	}
}

// fromSafetensors reads model.safetensors or all shards of its index. c is the
// model's configuration, or nil.
func fromSafetensors(open opener, c *config) (Parameters, error) {
	files, err := shards(open)
	if err != nil {
		return Parameters{}, err
	}
	t := tally{config: c, p: Parameters{Source: "safetensors", Confidence: High}}
	for _, name := range files {
		if err := t.shard(open, name); err != nil {
			return Parameters{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return t.parameters()
}

// maxIndex bounds model.safetensors.index.json.
const maxIndex = 64 << 20

func shards(open opener) ([]string, error) {
	r, _, err := open("model.safetensors.index.json")
	if errors.Is(err, os.ErrNotExist) {
		one, _, err := open("model.safetensors")
		if err == nil {
			one.Close()
		}
		return []string{"model.safetensors"}, err
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.NewDecoder(io.LimitReader(r, maxIndex)).Decode(&index); err != nil {
		return nil, fmt.Errorf("model.safetensors.index.json: %w", err)
	}
	var out []string
	for _, f := range index.WeightMap {
		if filepath.Base(f) != f {
			return nil, fmt.Errorf("model.safetensors.index.json: %q is not a file beside it", f)
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, errors.New("model.safetensors.index.json: it names no file")
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func (t *tally) shard(open opener, name string) error {
	f, size, err := open(name)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return errors.New("a shard is missing: download the model again")
		}
		return err
	}
	defer f.Close()
	header, err := readHeader(f, size)
	if err != nil {
		return err
	}
	for name, x := range header {
		if err := t.add(name, x); err != nil {
			return err
		}
	}
	return nil
}
