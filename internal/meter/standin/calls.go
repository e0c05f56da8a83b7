package standin

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Call is one call that a program made to the library.
type Call struct {
	At       time.Duration // on the clock of [Now]
	PID      int
	Function string
	GPU      int // -1: of no GPU
	Result   int // NVML return code
	Fields   []int
}

// ReadCalls reads the log that the library wrote to the path in LogEnv.
func ReadCalls(path string) ([]Call, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read calls: %w", err)
	}
	defer func() { _ = f.Close() }()
	var calls []Call
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		c, err := parseCall(lines.Text())
		if err != nil {
			return calls, fmt.Errorf("read calls: %s:%d: %w", path, len(calls)+1, err)
		}
		calls = append(calls, c)
	}
	return calls, lines.Err()
}

func parseCall(line string) (c Call, err error) {
	var fields string
	n, err := fmt.Sscan(line, (*int64)(&c.At), &c.PID, &c.Function, &c.GPU, &c.Result, &fields)
	if n < 5 {
		return c, err
	}
	if fields != "" {
		for id := range strings.SplitSeq(fields, ",") {
			v, err := strconv.Atoi(id)
			if err != nil {
				return c, err
			}
			c.Fields = append(c.Fields, v)
		}
	}
	return c, nil
}
