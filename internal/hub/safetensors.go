package hub

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Bounds of a safetensors file: its header, which the format bounds, the tensors in
// it, the text of one, and the dimensions of one.
const (
	maxHeader  = 100 << 20
	maxTensors = 1 << 20
	maxEntry   = 16 << 10
	maxRank    = 16
)

var errPacked = errors.New("weights are packed")

// readHeader reads the header of one safetensors file: 8 bytes of length,
// little-endian, then JSON. It calls add for each tensor.
func readHeader(r io.Reader, size int64, add func(name string, t tensor) error) error {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("safetensors header: %w", err)
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n > maxHeader || int64(n) > size-8 {
		return fmt.Errorf("safetensors header: length %d does not fit a file of %d bytes", n, size)
	}
	from := bufio.NewReaderSize(io.LimitReader(r, int64(n)), int(min(n+1, 4<<20)))
	err := eachKey(json.NewDecoder(from), func(name string, raw json.RawMessage) error {
		if name == "__metadata__" {
			return nil
		}
		t, err := parseTensor(raw)
		if err != nil {
			return fmt.Errorf("tensor %.120q: %w", name, err)
		}
		return add(name, t)
	})
	if err != nil {
		return fmt.Errorf("safetensors header: %w", err)
	}
	return nil
}

// eachKey calls do for the keys of a JSON object, one after the other.
func eachKey(d *json.Decoder, do func(key string, value json.RawMessage) error) error {
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return errors.Join(err, errors.New("it is no JSON object"))
	}
	for n := 0; d.More(); n++ {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		switch {
		case !ok:
			return errors.New("it is no JSON object")
		case n >= maxTensors:
			return fmt.Errorf("it has more than %d entries", maxTensors)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if err := do(name, raw); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func parseTensor(raw json.RawMessage) (tensor, error) {
	if len(raw) > maxEntry {
		return tensor{}, fmt.Errorf("its entry has %d bytes", len(raw))
	}
	var x struct {
		DType   string   `json:"dtype"`
		Shape   []int64  `json:"shape"`
		Offsets []uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw, &x); err != nil {
		return tensor{}, err
	}
	t := tensor{DType: x.DType, Shape: x.Shape}
	switch {
	case len(x.Shape) > maxRank:
		return t, fmt.Errorf("it has %d dimensions", len(x.Shape))
	case x.DType == "":
		return t, errors.New("it has no dtype")
	case len(x.Offsets) == 2 && x.Offsets[1] > x.Offsets[0]:
		t.Bytes = int64(min(x.Offsets[1]-x.Offsets[0], 1<<62))
	}
	return t, nil
}

// files are those of a model: in a folder, or on the hub.
type files struct {
	open func(name string) (io.ReadCloser, int64, error) // and its size
	list func() []string                                 // names of safetensors files; nil: cannot tell
}

func filesIn(dir string) files {
	return files{
		open: func(name string) (io.ReadCloser, int64, error) {
			f, err := os.Open(filepath.Join(dir, name))
			if err != nil {
				return nil, 0, err
			}
			st, err := f.Stat()
			if err == nil && !st.Mode().IsRegular() {
				err = fmt.Errorf("%s is no file", name)
			}
			if err != nil {
				f.Close()
				return nil, 0, err
			}
			return f, st.Size(), nil
		},
		list: func() []string {
			found, _ := filepath.Glob(filepath.Join(escape(dir), "*.safetensors"))
			for i, path := range found {
				found[i] = filepath.Base(path)
			}
			return found
		},
	}
}

// fromSafetensors counts the tensors of a model. c is its configuration, or nil.
func fromSafetensors(from files, c *config) (Parameters, error) {
	if c != nil {
		if err := c.sane(); err != nil {
			return Parameters{}, err
		}
	}
	set, err := shards(from)
	if err != nil {
		return Parameters{}, err
	}
	if err := set.read(from); err != nil {
		return Parameters{}, err
	}
	u := newUnpacker(set.tensors, c)
	list, unclear, err := u.unpack()
	if err != nil {
		return Parameters{}, err
	}
	if err := packed(list, unclear); err != nil {
		return Parameters{}, err
	}
	known := config{}
	if c != nil {
		known = *c
	}
	t := newTally(known, list)
	if c == nil {
		t.doubt("there is no config.json that can be read")
	}
	if module := u.twice(); module != "" {
		t.doubt("the files hold the weights of %.120q in two forms", module)
	}
	t.doubts = append(t.doubts, set.doubts...)
	t.notes = append(t.notes, set.notes...)
	return t.parameters("safetensors")
}

// packed is an error where tensors whose parameters are not known are more than a
// trifle.
func packed(list []weight, unclear map[string]int64) error {
	var all, n int64
	for _, w := range list {
		all += w.n
	}
	example := ""
	for _, name := range sortedKeys(unclear) {
		if n += unclear[name]; example == "" || unclear[name] > unclear[example] {
			example = name
		}
		if n > maxElements {
			return errTooLarge
		}
	}
	if float64(n) > negligible*float64(all) {
		return fmt.Errorf("%w, and how many parameters %.120q holds is not known", errPacked, starred(example))
	}
	return nil
}
