package pattern

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Keys of traces of Mooncake (kvcache-ai/Mooncake, FAST25-release), which many others
// took over with times in seconds.
const (
	timeKey   = "timestamp"
	inputKey  = "input_length"
	outputKey = "output_length"
)

// objects reads a trace of JSON objects with Mooncake's keys. hash_ids, which tell shared
// prefixes, are not read.
type objects struct {
	unit string
	n    int
}

func (o *objects) timeUnit() string { return o.unit }

func (o *objects) read(line []byte) (at int64, input, output int, ok bool, err error) {
	var row struct {
		Timestamp *float64        `json:"timestamp"`
		Input     *int            `json:"input_length"`
		Output    *int            `json:"output_length"`
		Chat      json.RawMessage `json:"chat_id"` // only of Qwen-Bailian (alibaba-edu/qwen-bailian-usagetraces-anon), whose times are in seconds
	}
	if err := json.Unmarshal(line, &row); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) && kind.Field != "" {
			return 0, 0, 0, false, fmt.Errorf("not an object of a trace: %s cannot be a %s: a time is a number of seconds or milliseconds, a length a whole number of tokens", kind.Field, kind.Value)
		}
		return 0, 0, 0, false, fmt.Errorf("not an object of a trace: %v", err)
	}
	if row.Timestamp == nil || row.Input == nil || row.Output == nil {
		return 0, 0, 0, false, fmt.Errorf("a line of a trace has %s, %s and %s (tokens), and this one has %s", timeKey, inputKey, outputKey, fieldsOf(line))
	}
	if o.n++; o.n == 1 {
		o.unit = unitOf(o.unit, *row.Timestamp, row.Chat != nil)
	}
	at, err = nanoseconds(*row.Timestamp, o.unit)
	return at, *row.Input, *row.Output, err == nil, err
}

// fieldsOf are those of a JSON object, in words.
func fieldsOf(line []byte) string {
	var object map[string]json.RawMessage
	if json.Unmarshal(line, &object) != nil || len(object) == 0 {
		return "none"
	}
	return fmt.Sprintf("%.200s", strings.Join(slices.Sorted(maps.Keys(object)), ", "))
}

// The years 2000 to 2100, in seconds since 1970.
const (
	year2000 = 946_684_800
	year2100 = 4_102_444_800
)

// unitOf is the unit that a trace's times are in: what the user says, or what the first of
// them proves. Seconds since 1970 have ten digits, milliseconds have thirteen.
func unitOf(asked string, first float64, bailian bool) string {
	switch {
	case asked != "":
		return asked
	case bailian, first >= year2000 && first <= year2100:
		return inSeconds
	case first >= year2000*1000 && first <= year2100*1000:
		return milliseconds
	}
	return ""
}

// nanoseconds is a time of a trace; in an unknown unit it is taken for milliseconds.
func nanoseconds(at float64, unit string) (int64, error) {
	each, name := 1e6, "milliseconds"
	if unit == inSeconds {
		each, name = 1e9, "seconds"
	}
	whole, part := math.Modf(at) // by themselves, since both together have more digits than a float
	if math.IsNaN(at) || math.Abs(whole*each) >= 1<<62 {
		return 0, fmt.Errorf("%s %g is no number of %s", timeKey, at, name)
	}
	return int64(whole)*int64(each) + int64(math.Round(part*each)), nil
}

// layouts are the columns of traces in CSV, in any order and among others.
var layouts = []struct {
	columns [3]string
	unit    string // of the times; empty: it is as unknown as in Mooncake's keys
}{
	// Azure/AzurePublicDataset, 2023 and 2024.
	{[3]string{"TIMESTAMP", "ContextTokens", "GeneratedTokens"}, dates},
	// HPMLL/BurstGPT: seconds since midnight of the first day.
	{[3]string{"Timestamp", "Request tokens", "Response tokens"}, inSeconds},
	{[3]string{timeKey, inputKey, outputKey}, ""},
}

// columns reads a trace in CSV, of which the first line is the header.
type columns struct {
	unit  string
	names [3]string // of the layout
	at    [3]int
	all   int // columns of the file
	n     int
}

func (c *columns) timeUnit() string { return c.unit }

func (c *columns) read(line []byte) (at int64, input, output int, ok bool, err error) {
	fields := strings.Split(string(line), ",")
	if strings.Contains(string(line), `"`) {
		if fields, err = csv.NewReader(strings.NewReader(string(line))).Read(); err != nil {
			return 0, 0, 0, false, fmt.Errorf("not a line of CSV: %w", err)
		}
	}
	if c.all == 0 {
		return 0, 0, 0, false, c.header(fields)
	}
	if len(fields) != c.all {
		return 0, 0, 0, false, fmt.Errorf("%d columns, and the first line has %d", len(fields), c.all)
	}
	c.n++
	if at, err = c.time(fields[c.at[0]]); err != nil {
		return 0, 0, 0, false, err
	}
	var lengths [2]int
	for i := range lengths {
		f := fields[c.at[i+1]]
		if lengths[i], err = strconv.Atoi(f); err != nil {
			return 0, 0, 0, false, fmt.Errorf("%s %.40q is no number of tokens", c.names[i+1], f)
		}
		if lengths[i] == 0 && c.names[1] == layouts[1].columns[1] {
			return 0, 0, 0, false, fmt.Errorf("%s is 0, as of requests that failed: take such lines out, or use one of BurstGPT's files without them (BurstGPT_without_fails_1.csv)", c.names[i+1])
		}
	}
	return at, lengths[0], lengths[1], true, nil
}

// header finds the layout.
func (c *columns) header(fields []string) error {
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	for _, l := range layouts {
		for i, name := range l.columns {
			c.at[i] = slices.Index(fields, name)
		}
		if slices.Min(c.at[:]) < 0 {
			continue
		}
		if l.unit != "" && c.unit != "" && l.unit != c.unit {
			return fmt.Errorf("%s is in %s, and workload.load.time_unit is %s: leave the key out", l.columns[0], map[string]string{dates: "dates", inSeconds: "seconds"}[l.unit], c.unit)
		}
		if l.unit != "" {
			c.unit = l.unit
		}
		c.names, c.all = l.columns, len(fields)
		return nil
	}
	var known []string
	for _, l := range layouts {
		known = append(known, strings.Join(l.columns[:], ","))
	}
	return fmt.Errorf("the columns are %.200q, and a trace's are %s", strings.Join(fields, ","), strings.Join(known, ", or "))
}

func (c *columns) time(text string) (int64, error) {
	if c.unit == dates {
		return date(text)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%s %.40q is no number", c.names[0], text)
	}
	if c.n == 1 {
		c.unit = unitOf(c.unit, v, false)
	}
	return nanoseconds(v, c.unit)
}

// dateLayouts are the ways in which traces write times; fractions of a second are read
// whether a layout has them or not.
var dateLayouts = []string{"2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00"}

var errDate = errors.New("is no time such as 2023-11-16 18:17:03.9799600")

func date(text string) (int64, error) {
	for _, layout := range dateLayouts {
		if when, err := time.Parse(layout, text); err == nil && when.Year() >= 1970 && when.Year() <= 2200 {
			return when.UnixNano(), nil
		}
	}
	return 0, fmt.Errorf("%s %.40q %w", layouts[0].columns[0], text, errDate)
}
