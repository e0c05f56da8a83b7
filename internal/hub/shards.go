package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// shardSet is the files of a model's weights and the tensors in them.
type shardSet struct {
	names   []string
	index   map[string]string // file of each tensor; nil: there is no index
	tensors map[string]tensor
	doubts  []string
	notes   []string
}

// maxIndex bounds model.safetensors.index.json, maxShards the files that it names.
const (
	maxIndex  = 64 << 20
	maxShards = 10_000
)

const indexName = "model.safetensors.index.json"

// shards finds the files that engines load: those of the index, else
// model.safetensors, else files that are numbered or alone. What lies beside them, such
// as the same weights in another layout, is not read.
func shards(from files) (*shardSet, error) {
	s := &shardSet{tensors: map[string]tensor{}}
	r, _, err := from.open(indexName)
	if err == nil {
		defer r.Close()
		if err := s.readIndex(r); err != nil {
			return nil, fmt.Errorf("%s: %w", indexName, err)
		}
		if one, _, err := from.open("model.safetensors"); err == nil {
			one.Close()
			if !slices.Contains(s.names, "model.safetensors") {
				s.doubts = append(s.doubts, "there are both model.safetensors and files of an index, and engines differ in which they load")
			}
		}
		return s, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	one, _, err := from.open("model.safetensors")
	if err == nil {
		one.Close()
		s.names = []string{"model.safetensors"}
		return s, nil
	}
	if from.list == nil || !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if s.unlisted(from.list()); len(s.names) == 0 {
		return nil, err
	}
	return s, s.complete()
}

var (
	numberedShard = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.safetensors$`)
	notModel      = regexp.MustCompile(`^(?:adapter_|training_|optimizer)`)
)

// unlisted takes files that no index names; Mistral's own only where there are no
// others, as they repeat the weights.
func (s *shardSet) unlisted(all []string) {
	for _, repeats := range []bool{false, true} {
		for _, name := range all {
			if !notModel.MatchString(name) && strings.HasPrefix(name, "consolidated") == repeats {
				s.names = append(s.names, name)
			}
		}
		if len(s.names) > 0 {
			break
		}
	}
	slices.Sort(s.names)
	if len(s.names) > 1 && !slices.ContainsFunc(s.names, numberedShard.MatchString) {
		s.doubts = append(s.doubts, "there are several files of weights and no index")
	}
}

// complete says which numbered files are missing.
func (s *shardSet) complete() error {
	sets := map[string][]bool{}
	for _, name := range s.names {
		m := numberedShard.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		i, _ := strconv.Atoi(m[2])
		n, _ := strconv.Atoi(m[3])
		if n > maxShards || i > n {
			return fmt.Errorf("%s: there are not so many files", name)
		}
		key := m[1] + " " + m[3]
		if sets[key] == nil {
			sets[key] = make([]bool, n+1)
		}
		sets[key][i] = true
	}
	for _, key := range sortedKeys(sets) {
		for i, there := range sets[key] {
			if i > 0 && !there && !sets[key][0] {
				return fmt.Errorf("file %d of %d of the weights is missing: download the model again", i, len(sets[key])-1)
			}
		}
	}
	if len(sets) > 1 {
		s.doubts = append(s.doubts, "there are two sets of numbered files of weights")
	}
	return nil
}

func (s *shardSet) readIndex(r io.Reader) error {
	s.index = map[string]string{}
	seen := map[string]bool{}
	whole := &io.LimitedReader{R: r, N: maxIndex}
	err := eachKey(json.NewDecoder(whole), func(key string, raw json.RawMessage) error {
		if key != "weight_map" {
			return nil
		}
		var of map[string]string
		if err := json.Unmarshal(raw, &of); err != nil {
			return err
		}
		for name, file := range of {
			if filepath.Base(file) != file {
				return fmt.Errorf("%q is not a file beside it", file)
			}
			s.index[name], seen[file] = file, true
		}
		return nil
	})
	switch {
	case whole.N <= 0:
		return fmt.Errorf("longer than %d MiB", maxIndex>>20)
	case err != nil:
		return err
	case len(s.index) == 0:
		return errors.New("it names no file")
	case len(s.index) > maxTensors || len(seen) > maxShards:
		return fmt.Errorf("it names %d tensors in %d files", len(s.index), len(seen))
	}
	s.names = slices.Sorted(maps.Keys(seen))
	return nil
}

// read reads all headers.
func (s *shardSet) read(from files) error {
	for _, name := range s.names {
		if err := s.readOne(from, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	missing := ""
	for tensor := range s.index {
		if _, ok := s.tensors[tensor]; !ok && (missing == "" || tensor < missing) {
			missing = tensor
		}
	}
	if missing != "" {
		s.doubts = append(s.doubts, fmt.Sprintf("the index names tensors that no file holds, such as %.120q", missing))
	}
	return nil
}

func (s *shardSet) readOne(from files, file string) error {
	f, size, err := from.open(file)
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("this file of the weights is missing: download the model again")
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return readHeader(f, size, func(name string, t tensor) error {
		if at, ok := s.index[name]; s.index != nil && ok && at != file {
			return nil // the index has it elsewhere
		}
		if old, twice := s.tensors[name]; twice {
			if old.DType != t.DType || !slices.Equal(old.Shape, t.Shape) {
				s.doubts = append(s.doubts[:min(len(s.doubts), 8)], fmt.Sprintf("two files hold %.120q with different shapes or types", name))
			} else if len(s.notes) == 0 {
				s.notes = append(s.notes, fmt.Sprintf("more than one file holds %.120q; it is counted once", name))
			}
			return nil
		}
		if len(s.tensors) >= 4*maxTensors {
			return fmt.Errorf("there are more than %d tensors", 4*maxTensors)
		}
		s.tensors[name] = t
		return nil
	})
}
