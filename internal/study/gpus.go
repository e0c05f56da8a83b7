package study

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

const gpuIDPattern = `([0-9]{1,3}|GPU-[0-9a-fA-F-]+)`

var gpuID = regexp.MustCompile("^" + gpuIDPattern + "$")

// gpus is auto, none, one index or UUID, or a list of them.
func (r *reader) gpus(v *yaml.Node) (GPUs, bool) {
	entries := []*yaml.Node{v}
	switch {
	case v.Kind == yaml.SequenceNode:
		entries = v.Content
	case v.Kind != yaml.ScalarNode:
		r.bad(v, "gpus", "want auto, none, or a list of indices and UUIDs; a run has as many GPUs as parallel asks for")
		return GPUs{}, false
	case v.Value == "auto" || v.Value == "none":
		return GPUs{Mode: v.Value}, true
	case gpuHint(v.Value) != "": // one hint for the whole of it
	case strings.Contains(v.Value, ","): // --gpus 0,1
		entries = nil
		for part := range strings.SplitSeq(v.Value, ",") {
			entries = append(entries, &yaml.Node{Kind: yaml.ScalarNode, Value: strings.TrimSpace(part), Line: v.Line, Column: v.Column})
		}
	}
	if len(entries) == 0 {
		r.bad(v, "gpus", "the list is empty; write none to use no GPU")
		return GPUs{}, false
	}
	g, good := GPUs{Mode: "list"}, true
	for _, n := range entries {
		id := target(n).Value
		switch {
		case !gpuID.MatchString(id):
			r.bad(n, "gpus", "%q is neither auto, none, an index such as 0 nor a UUID such as GPU-1234…%s", id, gpuHint(v.Value))
			good = false
		case slices.Contains(g.IDs, id):
			r.bad(n, "gpus", "GPU %s stands twice", id)
			good = false
		}
		g.IDs = append(g.IDs, id)
	}
	return g, good
}

var (
	gpuRange = regexp.MustCompile(`^([0-9]{1,3})-([0-9]{1,3})$`)
	gpuNamed = regexp.MustCompile(`^"?(?:device=|cuda:|gpu:|nvidia:|nvidia\.com/gpu=)([0-9]{1,3}(?:,[0-9]{1,3})*)"?$`)
)

// gpuHint says how a selection is written that Docker, PyTorch or Slurm would
// understand.
func gpuHint(value string) string {
	value = strings.ToLower(strings.TrimSpace(value))
	switch m, r := gpuNamed.FindStringSubmatch(value), gpuRange.FindStringSubmatch(value); {
	case value == "all":
		return "; leave it at auto, which takes as many free GPUs as parallel asks for, and set parallel.tensor to their number"
	case slices.Contains([]string{"false", "no", "off", "-1", "cpu", "null"}, value):
		return "; write none for no GPU"
	case slices.Contains([]string{"true", "yes", "on", "any", "gpu", "cuda"}, value):
		return "; write auto"
	case m != nil:
		return fmt.Sprintf("; write [%s]", strings.ReplaceAll(m[1], ",", ", "))
	case r != nil:
		from, _ := strconv.Atoi(r[1]) // the pattern lets only numbers in
		to, _ := strconv.Atoi(r[2])
		var list []string
		for i := from; i <= min(to, from+15); i++ {
			list = append(list, strconv.Itoa(i))
		}
		return fmt.Sprintf("; write [%s]", strings.Join(list, ", "))
	}
	return ""
}

// String is the selection as the file writes it.
func (g GPUs) String() string {
	if g.Mode != "list" {
		return g.Mode
	}
	return fmt.Sprintf("[%s]", strings.Join(g.IDs, ", "))
}

// value is what canonical JSON and YAML hold.
func (g GPUs) value() any {
	if g.Mode != "list" {
		return g.Mode
	}
	out := make([]any, len(g.IDs))
	for i, id := range g.IDs {
		out[i] = id
		if n, err := strconv.Atoi(id); err == nil {
			out[i] = n
		}
	}
	return out
}

// MarshalJSON writes auto, none, or a list.
func (g GPUs) MarshalJSON() ([]byte, error) { return jsonOf(g.value()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (g *GPUs) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &g.Mode); err == nil {
		g.IDs = nil
		return nil
	}
	var list []any
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	*g = GPUs{Mode: "list"}
	for _, id := range list {
		g.IDs = append(g.IDs, fmt.Sprint(id))
	}
	return nil
}

// MarshalYAML writes auto, none, or a list.
func (g GPUs) MarshalYAML() (any, error) { return g.value(), nil }
