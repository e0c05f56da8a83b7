package study

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

func jsonOf(v any) ([]byte, error) { return json.Marshal(v) }

// digest is "sha256:" and the hash of v's JSON, in which maps are sorted and
// structs keep their order. v holds nothing that JSON cannot.
func digest(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		// Decode lets only finite numbers, strings and maps with string keys in.
		panic("study: canonical form: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ConfigHash is over the effective configuration without what names or stores
// it, judges what it gave, or opens its server: name, output folder, pull policy, SLO,
// files of keys. Secrets enter by name, not by value.
func (e Experiment) ConfigHash() string {
	e.Hidden = nil
	c := e.Redacted()
	c.Name, c.Output, c.Engine.Pull, c.SLO = "", Output{}, "", SLO{}
	c.Engine.APIKeyFile, c.Engine.HeadersFile = "", ""
	return digest(c)
}

// WorkloadHash is over only what is sent: the requests, not when they are sent.
// fileDigest is the SHA-256 of the prompts file, the trace or the file of lengths,
// empty where there is none. Where seconds decide how many requests are sent, the load is part of it.
// Secrets enter by name.
func (e Experiment) WorkloadHash(fileDigest string) string {
	e.Hidden = nil
	w := e.Redacted().Workload
	sent := struct {
		Model, Revision string
		Seed            int64
		API             string
		Prompts         int
		Source, Order   string
		InputTokens     int // of each synthetic prompt; those of a file are sent whole
		OutputTokens    int
		Sampling        Sampling
		ExtraBody       map[string]any
		Trace           string  `json:",omitempty"`
		Column          string  `json:",omitempty"`
		Template        string  `json:",omitempty"`
		Lengths         Lengths `json:",omitzero"`
		Prefix          Prefix  `json:",omitzero"`
		Until           []any   `json:",omitempty"`
	}{
		e.Model, e.Revision, e.Seed, w.API, w.Prompts, w.Source, w.Order, w.MaxInputTokens, w.MaxOutputTokens, w.Sampling, w.ExtraBody, "", w.Column, w.Template, w.Lengths, w.Prefix, nil,
	}
	if w.MinSeconds > 0 || w.MaxSeconds > 0 {
		l := w.Load
		l.File = ""
		sent.Until = []any{w.MinSeconds, w.MaxSeconds, l}
	}
	switch {
	case w.Load.Recorded():
		sent.Trace, sent.InputTokens, sent.OutputTokens = fileDigest, 0, 0
	case w.Lengths.File != "":
		sent.Lengths.File = fileDigest
	case fileDigest != "":
		sent.Source, sent.InputTokens = fileDigest, 0
	}
	return digest(sent)
}

// EffectiveYAML is the whole configuration as a file that decodes again,
// secrets redacted. That of a --quick run says so first, because it may break
// limits that hold without --quick.
func (e Experiment) EffectiveYAML() []byte {
	data, err := yaml.Dump(tree(e.Redacted()), yaml.WithIndent(2))
	if err != nil {
		panic("study: effective configuration: " + err.Error()) // see digest
	}
	if e.Quick {
		data = append([]byte("# written by a --quick run; run it with --quick\n"), data...)
	}
	return data
}

// FromJSON reads the JSON of an experiment that was redacted, as a record has it.
func FromJSON(data []byte) (e Experiment, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // a whole number stays one
	if err := d.Decode(&e); err != nil {
		return e, err
	}
	e.Engine.Args, _ = numbers(e.Engine.Args).(map[string]any)
	e.Workload.ExtraBody, _ = numbers(e.Workload.ExtraBody).(map[string]any)
	return e, nil
}

// numbers has numbers in place of their texts.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return v
		}
		out := make(map[string]any, len(v))
		for key, inner := range v {
			out[key] = numbers(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = numbers(inner)
		}
		return out
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n
		}
		f, _ := v.Float64() // it is a number of JSON
		return f
	}
	return v
}

// IsFile says whether a file of EffectiveYAML means what e does.
func (e Experiment) IsFile(file []byte) bool {
	var texts [2][]byte
	for i, data := range [][]byte{file, e.EffectiveYAML()} {
		var v any
		if err := yaml.Unmarshal(data, &v); err != nil {
			return false
		}
		var err error
		if texts[i], err = json.Marshal(v); err != nil {
			return false
		}
	}
	return bytes.Equal(texts[0], texts[1])
}

// tree is the configuration as nested maps in the table's order, without keys
// that say nothing.
func tree(e Experiment) *yaml.Node {
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, k := range keys {
		if k.later {
			continue
		}
		f := fieldOf(reflect.ValueOf(&e).Elem(), k.path)
		open := e.Workload.Load.Open()
		switch {
		case k.path == "workload.load.concurrency" && open,
			e.Engine.Endpoint != "" && ofContainer(k.path),
			k.kind != gpuList && f.IsZero() && k.def == nil && k.kind != boolean,
			(k.kind == list || k.kind == strs || k.kind == anys) && f.Len() == 0:
			continue
		}
		var v any = f.Interface()
		if k.kind == gpuList {
			v = e.GPUs.value()
		}
		put(root, strings.Split(k.path, "."), v)
	}
	return root
}

func put(n *yaml.Node, path []string, v any) {
	if len(path) == 1 {
		child := &yaml.Node{}
		if err := child.Encode(v); err != nil {
			panic("study: effective configuration: " + err.Error()) // see digest
		}
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: path[0]}, child)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == path[0] {
			put(n.Content[i+1], path[1:], v)
			return
		}
	}
	child := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: path[0]}, child)
	put(child, path[1:], v)
}
