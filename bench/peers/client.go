package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// client is a command that loads a server.
type client interface {
	name() string
	command() string      // of its virtual environment
	at(bin string) client // the same, with its command's path
	version() []string    // a command that prints it
	// args writes what files the client needs, and is the command for a job.
	args(job) ([]string, error)
	// read finds what the client says of the job.
	read(job) (figures, error)
}

var clients = []client{
	reader{}, llem{}, guidellm{}, aiperf{}, inferencePerf{}, vllm{},
}

// figures are what a client says it saw, latencies in milliseconds. TPOT is what
// the client calls the mean time between a request's tokens without the first,
// under whichever name.
type figures struct {
	Completed        int
	Output           float64 // tokens of them
	Requests, Tokens float64 // a second
	TTFT, TTFT99     float64
	TPOT             float64
}

// check refuses what is not the whole of a job, but for one request of a hundred:
// guidellm leaves out some at the edges of its window, all of which it has sent.
func (f figures) check(j job) error {
	if f.Completed > j.n || float64(f.Completed) < 0.99*float64(j.n) {
		return fmt.Errorf("%d of %d requests", f.Completed, j.n)
	}
	if want := float64(f.Completed * j.output); f.Output < 0.999*want || f.Output > 1.001*want {
		return fmt.Errorf("%.0f tokens, and %.0f were asked for", f.Output, want)
	}
	return nil
}

// decode reads the one JSON file of a pattern under a job's folder.
func decode(j job, pattern string, into any) error {
	files, err := filepath.Glob(filepath.Join(j.dir, pattern))
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("%d files %s were written, and one is read", len(files), pattern)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(files[0]), err)
	}
	return nil
}

// write puts a value into a file of the job's folder as JSON, which YAML is too.
func (j job) write(name string, v any) (path string, err error) {
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return "", err
	}
	path = filepath.Join(j.dir, name)
	return path, os.WriteFile(path, data, 0o644)
}

// object is JSON's.
type object = map[string]any
