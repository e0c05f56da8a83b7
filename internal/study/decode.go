package study

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/docker/go-units"
	"go.yaml.in/yaml/v4"
)

// maxFile bounds an experiment file.
const maxFile = 1 << 20

// Set is one value from a flag or the environment.
type Set struct {
	Path   string
	Value  string // as YAML
	Source string // how an error names it: "--gpus", "LLEM_GPUS"
}

// Layer is a file below the experiment file: the user's own.
type Layer struct {
	Source string
	Data   []byte
}

// Options are what stands around the experiment file.
type Options struct {
	User  *Layer // lowest
	Env   []Set  // above the file
	Flags []Set  // highest
	Quick bool
}

// ReadFile reads and decodes the file at path. An empty path is an empty file.
func ReadFile(path string, opt Options) (Experiment, []byte, error) {
	if path == "" {
		e, err := Decode("command line", nil, opt)
		return e, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return Experiment{}, nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return Experiment{}, nil, fmt.Errorf("read configuration: %s is a directory, not a file; name the YAML file in it", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Experiment{}, nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > maxFile {
		return Experiment{}, nil, fmt.Errorf("read configuration: %s is over 1 MiB", path)
	}
	e, err := Decode(path, data, opt)
	return e, data, err
}

// decoder fills an experiment layer by layer.
type decoder struct {
	e      Experiment
	set    map[string]string // path to the source that set it
	issues problems
	quick  bool
	source string
	lines  [][]byte
}

// Decode reads an experiment file. name is how errors call it; relative paths
// in it are relative to its folder.
func Decode(name string, data []byte, opt Options) (Experiment, error) {
	d := decoder{set: map[string]string{}, quick: opt.Quick}
	d.defaults(opt.Quick)
	if opt.User != nil {
		d.file(opt.User.Source, opt.User.Data)
	}
	d.file(name, data)
	for _, s := range slices.Concat(opt.Env, opt.Flags) {
		d.one(s)
	}
	d.source, d.lines = name, nil
	d.dependent()
	d.check(filepath.Dir(name))
	d.e.Quick = opt.Quick
	if err := d.issues.err(); err != nil {
		return Experiment{}, err
	}
	return d.e, nil
}

// defaults applies the table's.
func (d *decoder) defaults(isQuick bool) {
	for _, k := range keys {
		def := k.def
		if q, ok := quick[k.path]; ok && isQuick {
			def = q
		}
		if def == nil || k.later {
			continue
		}
		f := d.field(k.path)
		if k.kind == gpuList {
			d.e.GPUs.Mode = "auto"
			continue
		}
		f.Set(reflect.ValueOf(def).Convert(f.Type()))
	}
	d.e.Engine.Args, d.e.Engine.Env = map[string]any{}, map[string]string{}
	d.e.Engine.Container.Ulimits, d.e.Workload.ExtraBody = map[string]string{}, map[string]any{}
	d.e.Engine.Container.Mounts, d.e.Engine.Container.Devices, d.e.Engine.Container.Entrypoint = []string{}, []string{}, []string{}
}

// field is the struct field at a path of yaml names.
func (d *decoder) field(path string) reflect.Value {
	v := reflect.ValueOf(&d.e).Elem()
	for name := range strings.SplitSeq(path, ".") {
		t := v.Type()
		for i := range t.NumField() {
			if t.Field(i).Tag.Get("yaml") == name || t.Field(i).Name == "GPUs" && name == "gpus" {
				v = v.Field(i)
				break
			}
		}
	}
	return v
}

// file walks one document.
func (d *decoder) file(source string, data []byte) {
	d.source, d.lines = source, bytes.Split(data, []byte("\n"))
	if !utf8.Valid(data) {
		d.bad(nil, "", "the file is not UTF-8")
		return
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		d.bad(nil, "", "%v", err)
		return
	}
	var doc yaml.Node
	if err := loader.Load(&doc); errors.Is(err, io.EOF) {
		return // empty: everything from defaults and flags
	} else if err != nil {
		d.syntax(err)
		return
	}
	var more yaml.Node
	if err := loader.Load(&more); !errors.Is(err, io.EOF) {
		d.bad(nil, "", "the file holds more than one document; an experiment is one")
		return
	}
	root := &doc
	if doc.Kind == yaml.DocumentNode {
		if len(doc.Content) == 0 {
			return
		}
		root = doc.Content[0]
	}
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return
	}
	if root.Kind != yaml.MappingNode {
		d.bad(root, "", "the file is not a mapping of keys to values")
		return
	}
	d.mapping("", root)
}

func (d *decoder) syntax(err error) {
	var one *yaml.LoadError
	if errors.As(err, &one) && one.Mark.Line > 0 {
		d.bad(&yaml.Node{Line: one.Mark.Line, Column: max(1, one.Mark.Column)}, "", "not YAML: %s", one.Message)
		return
	}
	d.bad(nil, "", "not YAML: %v", err)
}

// bad records a problem at a node.
func (d *decoder) bad(n *yaml.Node, path, format string, args ...any) {
	p := Problem{Source: d.source, Path: path, Message: fmt.Sprintf(format, args...)}
	if n != nil && len(d.lines) > 0 && n.Line > 0 {
		// A parser may have met the end only after the last line.
		p.Line, p.Column = min(n.Line, len(d.lines)), n.Column
		p.Text = strings.TrimRight(string(d.lines[p.Line-1]), "\r")
	}
	d.issues.add(p)
}

// mapping walks the keys below path.
func (d *decoder) mapping(path string, n *yaml.Node) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		full := strings.TrimPrefix(path+"."+k.Value, ".")
		if k.Kind != yaml.ScalarNode || k.Value == "" {
			d.bad(k, path, "a key must be a word")
			continue
		}
		if seen[k.Value] {
			d.bad(k, full, "the key stands twice")
			continue
		}
		seen[k.Value] = true
		for v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		if r, ok := row(full); ok {
			d.value(r, k, v)
			continue
		}
		children := below(full)
		switch {
		case len(children) == 0:
			d.unknown(k, path, full)
		case v.Kind == yaml.MappingNode:
			d.mapping(full, v)
		default:
			d.bad(v, full, "is a group of keys (%s), not a value", strings.Join(children, ", "))
		}
	}
}

func (d *decoder) unknown(k *yaml.Node, path, full string) {
	if near := nearest(k.Value, below(path)); near != "" {
		d.bad(k, full, "unknown key; did you mean %q?", near)
		return
	}
	d.bad(k, full, "unknown key; here stand %s", strings.Join(below(path), ", "))
}

// below lists the names of the keys and groups directly under path.
func below(path string) []string {
	var out []string
	for _, k := range keys {
		rest := k.path
		if path != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(k.path, path+"."); !ok {
				continue
			}
		}
		name, _, _ := strings.Cut(rest, ".")
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// one applies a value from a flag or the environment.
func (d *decoder) one(s Set) {
	d.source, d.lines = s.Source, nil
	k, ok := row(s.Path)
	if !ok {
		d.bad(nil, s.Path, "unknown key")
		return
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s.Value}
	if k.kind != text && k.kind != size {
		var doc yaml.Node
		if err := yaml.Load([]byte(s.Value), &doc); err == nil && len(doc.Content) == 1 {
			n = doc.Content[0]
		}
	}
	if s.Path == "energy.backend" && s.Value == "null" {
		n.Value = "none"
	}
	d.value(k, n, n)
}

// value checks one key's value against its row and stores it.
func (d *decoder) value(k key, at, v *yaml.Node) {
	null := v.Kind == yaml.ScalarNode && v.Tag == "!!null"
	if k.later {
		d.refuse(k, at, v, null)
		return
	}
	if null {
		d.blank(k, at, v)
		return
	}
	if err := d.store(k, v); err != nil {
		d.bad(v, k.path, "%v", err)
		return
	}
	d.set[k.path] = d.source
}

// refuse lets through what says nothing and refuses the rest by name.
func (d *decoder) refuse(k key, at, v *yaml.Node, null bool) {
	empty := null && v.Value != "" || v.Kind == yaml.ScalarNode && slices.Contains(k.allow, v.Value) && !null
	if !empty {
		d.bad(at, k.path, "not in this version of llem; leave the key out")
	}
}

// blank tells an explicit null, which is a value for some keys, from a word
// that was forgotten.
func (d *decoder) blank(k key, at, v *yaml.Node) {
	explicit := v.Value != ""
	switch {
	case k.path == "energy.backend" && explicit:
		d.e.Energy.Backend = "none"
		d.set[k.path] = d.source
	case k.path == "energy.backend":
		d.bad(at, k.path, "blank: write none (or null) to switch energy off, or auto")
	case explicit && k.def == nil:
		// null where the default is "nothing": as if the key were not there
	default:
		d.bad(at, k.path, "blank: give a value or leave the key out")
	}
}

func (d *decoder) store(k key, v *yaml.Node) error {
	f := d.field(k.path)
	switch k.kind {
	case gpuList:
		return d.storeGPUs(v)
	case list, strs, anys:
		return storeMany(k, f, v)
	}
	if v.Kind != yaml.ScalarNode {
		return fmt.Errorf("want %s, not a %s", k.want(), shape(v))
	}
	switch k.kind {
	case boolean:
		b, err := strconv.ParseBool(v.Value)
		if v.Tag != "!!bool" || err != nil {
			return fmt.Errorf("want true or false, not %q", v.Value)
		}
		f.SetBool(b)
	case integer, number:
		return storeNumber(k, f, v, d.quick)
	default:
		return storeText(k, f, v)
	}
	return nil
}

func shape(v *yaml.Node) string {
	if v.Kind == yaml.SequenceNode {
		return "list"
	}
	return "mapping"
}

func (k key) want() string {
	switch k.kind {
	case integer:
		return "a whole number"
	case number:
		return "a number"
	case boolean:
		return "true or false"
	case size:
		return "a size such as 16GiB"
	case list:
		return "a list of strings"
	case strs, anys:
		return "a mapping"
	}
	return "a string"
}

func storeNumber(k key, f reflect.Value, v *yaml.Node, isQuick bool) error {
	if v.Tag != "!!int" && (v.Tag != "!!float" || k.kind == integer) {
		return fmt.Errorf("want %s, not %q", k.want(), v.Value)
	}
	var x float64
	if err := v.Decode(&x); err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Errorf("want %s, not %q", k.want(), v.Value)
	}
	low := k.min
	if _, ok := quick[k.path]; ok && isQuick {
		low = 0
	}
	if x < low || x > k.max {
		return fmt.Errorf("%s is out of range: %s to %s", v.Value, plain(low), plain(k.max))
	}
	if k.kind == integer {
		f.SetInt(int64(x))
		return nil
	}
	f.SetFloat(x)
	return nil
}

func plain(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func storeText(k key, f reflect.Value, v *yaml.Node) error {
	if v.Tag != "!!str" && k.kind != size && !(v.Tag == "!!int" && (k.path == "engine.container.cpuset" || k.path == "engine.container.user" || k.path == "revision")) {
		return fmt.Errorf("want a string, not %s (quote it)", v.Value)
	}
	if k.enum != nil && !slices.Contains(k.enum, v.Value) {
		if slices.Contains(k.never, v.Value) {
			return fmt.Errorf("%q is not in this version of llem; it has %s", v.Value, strings.Join(k.enum, ", "))
		}
		hint := ""
		if near := nearest(v.Value, k.enum); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		return fmt.Errorf("%q is none of %s%s", v.Value, strings.Join(k.enum, ", "), hint)
	}
	if k.kind == size {
		if n, err := units.RAMInBytes(v.Value); err != nil || n <= 0 {
			return fmt.Errorf("%q is no size; write one such as 512MiB or 16GiB", v.Value)
		}
	}
	f.SetString(v.Value)
	return nil
}

func storeMany(k key, f reflect.Value, v *yaml.Node) error {
	wantKind := yaml.MappingNode
	if k.kind == list {
		wantKind = yaml.SequenceNode
	}
	if v.Kind != wantKind {
		return fmt.Errorf("want %s", k.want())
	}
	if k.kind != anys {
		for i, c := range v.Content {
			if c.Kind != yaml.ScalarNode || c.Tag == "!!null" {
				return fmt.Errorf("entry %d is not a string", i+1)
			}
			c.Tag = "!!str" // numbers and booleans as they are written
		}
	}
	p := reflect.New(f.Type())
	if err := v.Decode(p.Interface()); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	f.Set(p.Elem())
	return nil
}

// storeGPUs takes auto, none, one index or UUID, or a list of them.
func (d *decoder) storeGPUs(v *yaml.Node) error {
	entries := []*yaml.Node{v}
	if v.Kind == yaml.SequenceNode {
		entries = v.Content
		if len(entries) == 0 {
			return errors.New("the list is empty; write none to use no GPU")
		}
	} else if v.Kind != yaml.ScalarNode {
		return errors.New("want auto, none, or a list of indices and UUIDs")
	}
	if v.Kind == yaml.ScalarNode && (v.Value == "auto" || v.Value == "none") {
		d.e.GPUs = GPUs{Mode: v.Value}
		return nil
	}
	if v.Kind == yaml.ScalarNode && strings.Contains(v.Value, ",") { // --gpus 0,1
		entries = nil
		for part := range strings.SplitSeq(v.Value, ",") {
			entries = append(entries, &yaml.Node{Kind: yaml.ScalarNode, Value: strings.TrimSpace(part)})
		}
	}
	g := GPUs{Mode: "list"}
	for _, n := range entries {
		if !gpuID.MatchString(n.Value) {
			return fmt.Errorf("%q is neither auto, none, an index such as 0 nor a UUID such as GPU-1234…", n.Value)
		}
		if slices.Contains(g.IDs, n.Value) {
			return fmt.Errorf("GPU %s stands twice", n.Value)
		}
		g.IDs = append(g.IDs, n.Value)
	}
	d.e.GPUs = g
	return nil
}

var gpuID = regexp.MustCompile(`^([0-9]{1,3}|GPU-[0-9a-fA-F-]+)$`)
